{{- define "shardex.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "shardex.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "shardex.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "shardex.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "shardex.coordinator" -}}{{ include "shardex.fullname" . }}-coordinator{{- end -}}
{{- define "shardex.worker" -}}{{ include "shardex.fullname" . }}-worker{{- end -}}
{{- define "shardex.address" -}}{{ include "shardex.coordinator" . }}:7443{{- end -}}

{{- /* Labels that never change: what selectors are made of. Called with (dict "root" $ "component" NAME). */ -}}
{{- define "shardex.selector" -}}
app.kubernetes.io/name: {{ include "shardex.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "shardex.labels" -}}
{{ include "shardex.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "shardex.serviceAccount" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.name -}}{{ $account.name }}
{{- else if $account.create -}}{{ include "shardex.fullname" .root }}-{{ .component }}
{{- else -}}default
{{- end -}}
{{- end -}}

{{- define "shardex.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "shardex.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "shardex.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- /* Credentials and addresses of object storage, the same in every pod. */ -}}
{{- define "shardex.storageEnv" -}}
{{- with .Values.storage.s3.endpoint }}
- { name: AWS_ENDPOINT_URL_S3, value: {{ . | quote }} }
{{- end }}
{{- with .Values.storage.s3.region }}
- { name: AWS_REGION, value: {{ . | quote }} }
{{- end }}
{{- with .Values.storage.s3.existingSecret }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- { name: {{ . }}, valueFrom: { secretKeyRef: { name: {{ $.Values.storage.s3.existingSecret | quote }}, key: {{ . }} } } }
{{- end }}
{{- end }}
{{- end -}}

{{- /* The certificate of this pod, and who signs the others'. */ -}}
{{- define "shardex.tlsEnv" -}}
- { name: SHARDEX_TLS_CERT, value: /etc/shardex/tls/tls.crt }
- { name: SHARDEX_TLS_KEY, value: /etc/shardex/tls/tls.key }
- { name: SHARDEX_TLS_CA, value: /etc/shardex/tls/ca.crt }
{{- end -}}

{{- define "shardex.volumeMounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if .Values.storage.sharedVolume.existingClaim }}
- { name: shared, mountPath: {{ .Values.storage.sharedVolume.mountPath | quote }} }
{{- end }}
{{- end -}}

{{- define "shardex.volumes" -}}
- { name: tmp, emptyDir: {} }
{{- with .Values.storage.sharedVolume.existingClaim }}
- { name: shared, persistentVolumeClaim: { claimName: {{ . | quote }} } }
{{- end }}
{{- end -}}

{{- /* Where a pod may run. Called with (dict "root" $ "component" NAME). */ -}}
{{- define "shardex.scheduling" -}}
{{- $values := index .root.Values .component -}}
serviceAccountName: {{ include "shardex.serviceAccount" . }}
automountServiceAccountToken: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What a worker of a Job ends with when it was told to: sysexits(3) has it as "try again". */ -}}
{{- define "shardex.drainedExitCode" -}}75{{- end -}}

{{- /* The pod of a worker, the same for Deployment and Job. */ -}}
{{- define "shardex.workerPod" -}}
{{- $worker := .Values.worker -}}
{{- $scope := dict "root" . "component" "worker" -}}
metadata:
  labels:
    {{- include "shardex.labels" $scope | nindent 4 }}
  {{- with $worker.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "shardex.scheduling" $scope | nindent 2 }}
  {{- if eq $worker.kind "Job" }}
  restartPolicy: Never
  {{- end }}
  securityContext:
    {{- include "shardex.podSecurity" . | nindent 4 }}
  # SIGTERM drains: no further task, what runs is finished or given back. No hook is needed before it.
  terminationGracePeriodSeconds: {{ add (divf $worker.drainGraceMs 1000 | ceil) 10 }}
  topologySpreadConstraints:
    {{- if $worker.topologySpreadConstraints }}
    {{- toYaml $worker.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "shardex.selector" $scope | nindent 10 }}
    {{- end }}
  containers:
    - name: worker
      image: {{ include "shardex.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [worker]
      env:
        - { name: SHARDEX_COORDINATOR, value: {{ include "shardex.address" . | quote }} }
        {{- if .Values.security.coordinatorSecret }}
        {{- include "shardex.tlsEnv" . | nindent 8 }}
        {{- end }}
        - { name: SHARDEX_HEALTH_PORT, value: '8080' }
        - { name: SHARDEX_HEALTH_HOST, value: '0.0.0.0' }
        - { name: SHARDEX_LOG_LEVEL, value: {{ $worker.logLevel | quote }} }
        - { name: SHARDEX_DRAIN_GRACE_MS, value: {{ int $worker.drainGraceMs | quote }} }
        {{- if $worker.threads }}
        - { name: SHARDEX_THREADS, value: {{ int $worker.threads | quote }} }
        {{- end }}
        {{- with $worker.memory }}
        - { name: SHARDEX_MEMORY, value: {{ . | quote }} }
        {{- end }}
        {{- if eq $worker.kind "Job" }}
        - { name: SHARDEX_COORDINATOR_TIMEOUT_MS, value: {{ int $worker.job.coordinatorTimeoutMs | quote }} }
        # Ending with 0 would say that this worker's part of the run is over.
        - { name: SHARDEX_DRAINED_EXIT_CODE, value: {{ include "shardex.drainedExitCode" . | quote }} }
        {{- end }}
        {{- include "shardex.storageEnv" . | nindent 8 }}
        {{- with $worker.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - { name: metrics, containerPort: 8080 }
      startupProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 2, failureThreshold: 60 }
      livenessProbe: { httpGet: { path: /healthz, port: metrics }, periodSeconds: 15, timeoutSeconds: 5 }
      readinessProbe: { httpGet: { path: /readyz, port: metrics }, periodSeconds: 5, timeoutSeconds: 5 }
      resources:
        {{- toYaml $worker.resources | nindent 8 }}
      securityContext:
        {{- include "shardex.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- include "shardex.volumeMounts" . | nindent 8 }}
        {{- if .Values.security.coordinatorSecret }}
        - { name: tls, mountPath: /etc/shardex/tls, readOnly: true }
        {{- end }}
  volumes:
    {{- include "shardex.volumes" . | nindent 4 }}
    {{- if .Values.security.coordinatorSecret }}
    - { name: tls, secret: { secretName: {{ required "security.workerSecret belongs to security.coordinatorSecret" .Values.security.workerSecret | quote }} } }
    {{- end }}
{{- end -}}
