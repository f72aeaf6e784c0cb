package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/net/dns/dnsmessage"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Answers last as long as a look at the API server takes: nothing is remembered, here or by those who ask.
const timeToLive = 0

// newNamesCommand answers what pods of this cluster ask of DNS: addresses of services, of the pods behind headless ones, and of
// those pods by name. It stands in for CoreDNS, whose dependencies would double what has to be compiled.
func newNamesCommand() *cobra.Command {
	var address, config, domain string
	command := &cobra.Command{
		Use:  "names",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			settings, err := clientcmd.BuildConfigFromFlags("", config)
			if err != nil {
				return err
			}
			// Each question is a call or two; the default of five a second would make a queue of them.
			settings.QPS, settings.Burst = 100, 200
			client, err := kubernetes.NewForConfig(settings)
			if err != nil {
				return err
			}
			socket, err := net.ListenPacket("udp", address)
			if err != nil {
				return err
			}
			return answerAll(command.Context(), socket, &names{client, "." + domain + "."})
		},
	}
	command.Flags().StringVar(&address, "listen", "127.0.0.1:53", "address and port")
	command.Flags().StringVar(&config, "kubeconfig", "", "how to reach the API server")
	command.Flags().StringVar(&domain, "domain", "cluster.local", "what names of this cluster end with")
	return command
}

func answerAll(ctx context.Context, socket net.PacketConn, known *names) error {
	buffer := make([]byte, 1500)
	for {
		length, peer, err := socket.ReadFrom(buffer)
		if err != nil {
			return err
		}
		question := append([]byte(nil), buffer[:length]...)
		go func() {
			answer, err := known.answer(ctx, question)
			if err != nil {
				fmt.Fprintln(os.Stderr, peer, err)
				return
			}
			_, _ = socket.WriteTo(answer, peer)
		}()
	}
}

type names struct {
	client kubernetes.Interface
	suffix string
}

func (known *names) answer(ctx context.Context, message []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	addresses, err := known.addresses(ctx, strings.ToLower(question.Name.String()))
	header.Response, header.Authoritative, header.RecursionAvailable = true, true, true
	header.RCode = dnsmessage.RCodeSuccess
	if err != nil {
		// Silence would be taken for a lost packet, and asked again after seconds.
		header.RCode = dnsmessage.RCodeServerFailure
	} else if addresses == nil {
		header.RCode = dnsmessage.RCodeNameError
	}
	builder := dnsmessage.NewBuilder(nil, header)
	if err := builder.StartQuestions(); err != nil {
		return nil, err
	}
	if err := builder.Question(question); err != nil {
		return nil, err
	}
	if err := builder.StartAnswers(); err != nil {
		return nil, err
	}
	for _, address := range addresses {
		four := net.ParseIP(address).To4()
		if four == nil || question.Type != dnsmessage.TypeA {
			continue
		}
		record := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: timeToLive}
		if err := builder.AResource(record, dnsmessage.AResource{A: [4]byte(four)}); err != nil {
			return nil, err
		}
	}
	return builder.Finish()
}

// addresses of [POD.]SERVICE.NAMESPACE.svc and the domain; nil: there is no such name.
func (known *names) addresses(ctx context.Context, name string) ([]string, error) {
	inside, isOurs := strings.CutSuffix(name, known.suffix)
	labels := strings.Split(inside, ".")
	if !isOurs || len(labels) < 3 || len(labels) > 4 || labels[len(labels)-1] != "svc" {
		return nil, nil
	}
	pod, service, namespace := "", labels[len(labels)-3], labels[len(labels)-2]
	if len(labels) == 4 {
		pod = labels[0]
	}
	found, err := known.client.CoreV1().Services(namespace).List(ctx, meta.ListOptions{FieldSelector: "metadata.name=" + service})
	if err != nil || len(found.Items) == 0 {
		return nil, err
	}
	if address := found.Items[0].Spec.ClusterIP; address != "None" {
		if pod != "" {
			return nil, nil
		}
		return []string{address}, nil
	}
	slices, err := known.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, meta.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service})
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			isReady := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
			isMeant := pod == "" || (endpoint.Hostname != nil && *endpoint.Hostname == pod)
			if isReady && isMeant {
				addresses = append(addresses, endpoint.Addresses...)
			}
		}
	}
	return addresses, nil
}
