#!/usr/bin/env bash
# One machine with all of Kubernetes, as the first process of namespaces of its own:
#
#   unshare --net --mount --pid --fork --kill-child --mount-proc node.sh FOLDER PROGRAM ADDRESS
#
# FOLDER has the files that kubernetes-cluster.ts writes; PROGRAM is built from main.go beside this file; ADDRESS is the node's. It ends when one of the
# parts does, or when its standard input is closed, by will or because the process that held it died. With it end, by the kernel's
# doing, whatever runs, is mounted, or is an interface or a rule of the network in there: nothing of this reaches the machine around.
set -eu
folder=$1
program=$2
address=$3
# What is started in the background gets another standard input.
exec 3<&0

# What has a fixed place on every node is this node's own: sockets, network namespaces, leases of addresses, logs.
for place in /run /var/log /var/lib/cni; do
  mkdir -p "$place"
  mount -t tmpfs tmpfs "$place"
done
mkdir -p /run/lock /run/netns
# The kubelet tunes these for a machine that it has to itself. Not every one of them belongs to a namespace.
mkdir "$folder/tuned"
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops; do
  cat "/proc/sys/$setting" >"$folder/tuned/${setting##*/}"
  mount --bind "$folder/tuned/${setting##*/}" "/proc/sys/$setting"
done

ip link set lo up
ip address add "$address/32" dev lo
echo 1 >/proc/sys/net/ipv4/ip_forward

cd "$folder"
start() {
  local name=$1
  shift
  "$@" >"log/$name.log" 2>&1 3<&- &
}
kube() { start "$1" "$program" "$@"; }

start containerd containerd --config containerd.toml
start etcd etcd --data-dir etcd --unsafe-no-fsync
kube kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --bind-address=0.0.0.0 --advertise-address="$address" \
  --cert-dir=pki --service-account-key-file=pki/accounts.pub --service-account-signing-key-file=pki/accounts.key \
  --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.96.0.0/16 --token-auth-file=pki/tokens.csv \
  --authorization-mode=Node,RBAC --kubelet-preferred-address-types=InternalIP
# The others end when they find nobody.
until [ "$("$program" kubectl --kubeconfig kubeconfig get --raw /readyz 2>/dev/null)" = ok ]; do
  sleep 0.2
done
kube kube-controller-manager --kubeconfig=kubeconfig --service-account-private-key-file=pki/accounts.key --leader-elect=false --secure-port=0
kube kube-scheduler --kubeconfig=kubeconfig --leader-elect=false --secure-port=0
kube kubelet --config=kubelet.json --kubeconfig=kubeconfig --hostname-override=node --node-ip="$address" --root-dir="$folder/kubelet" --cert-dir=pki
kube kube-proxy --kubeconfig=kubeconfig --proxy-mode=nftables --hostname-override=node --conntrack-max-per-core=0 \
  --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
kube names --kubeconfig=kubeconfig --listen="$address:53"

cat <&3 >/dev/null &
wait -n || true
