{{- /* The template of every pod: of the workloads, of the Job and of the test. This file defines no objects. */ -}}

{{- /* Takes root, args, own (the values of this kind of pod) and, for pods that keep running, component and receives; for
those that run once, once. Optional: state (a folder for the cache), ownSecret and serviceAccount (what stands in for the
release's own ones before these exist). */ -}}
{{- define "sms-bridge.pod" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $labels := include (ternary "sms-bridge.onceLabels" "sms-bridge.selectorLabels" (default false .once)) $root | fromYaml -}}
{{- with .component }}{{ $_ := set $labels "app.kubernetes.io/component" . }}{{ end -}}
{{- if .receives }}{{ $_ := set $labels "sms-bridge/callbacks" "true" }}{{ end -}}
metadata:
  labels:
    {{- toYaml (merge $labels (.own.podLabels | default dict) ($values.podLabels | default dict) ($values.commonLabels | default dict)) | nindent 4 }}
  annotations:
    {{- if not .once }}
    checksum/config: {{ include "sms-bridge.variables" $root | sha256sum }}
    checksum/secret: {{ include "sms-bridge.secretChecksum" $root }}
    {{- end }}
    kubectl.kubernetes.io/default-container: sms-bridge
    {{- with merge (dict) (.own.podAnnotations | default dict) ($values.podAnnotations | default dict) ($values.commonAnnotations | default dict) }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ .serviceAccount | default (include "sms-bridge.serviceAccountName" $root) }}
  automountServiceAccountToken: false
  # Without this, a Service named sms-bridge would create variables that look like settings.
  enableServiceLinks: false
  {{- if .once }}
  restartPolicy: Never
  {{- end }}
  terminationGracePeriodSeconds: {{ ternary 10 (int $values.terminationGracePeriodSeconds) (default false .once) }}
  securityContext:
    {{- include "sms-bridge.securityContext" (dict "root" $root "context" $values.podSecurityContext) | nindent 4 }}
  {{- with include "sms-bridge.imagePullSecrets" $root | trim }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  {{- include "sms-bridge.fields" (dict "values" $values "names" (list "hostAliases" "dnsPolicy" "dnsConfig" "priorityClassName" "runtimeClassName" "hostUsers") "indent" 2) }}
  {{- include "sms-bridge.fields" (dict "values" .own "names" (list "nodeSelector" "tolerations" "affinity") "indent" 2) }}
  {{- if not .once }}
  topologySpreadConstraints:
    {{- include "sms-bridge.spread" . | trim | nindent 4 }}
  {{- end }}
  {{- with $values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - {{ include "sms-bridge.container" . | nindent 6 | trim }}
    {{- if not .once }}
    {{- with $values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- end }}
  volumes:
    {{- include "sms-bridge.volumes" . | trim | nindent 4 }}
{{- end }}

{{- /* The container of the service. Takes what the pod takes. */ -}}
{{- define "sms-bridge.container" -}}
{{- $values := .root.Values -}}
name: sms-bridge
image: {{ include "sms-bridge.image" .root }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args: {{ .args | toJson }}
{{- with include "sms-bridge.environment" . | trim }}
{{ . }}
{{- end }}
{{- if not .once }}
ports:
  {{- if .receives }}
  - name: http
    containerPort: 8080
  {{- end }}
  - name: admin
    containerPort: 9090
{{- $scheme := include "sms-bridge.adminScheme" .root }}
{{- range $probe, $path := dict "startup" "/livez" "liveness" "/livez" "readiness" "/readyz" }}
{{ toYaml (dict (printf "%sProbe" $probe) (merge (dict "httpGet" (dict "path" $path "port" "admin" "scheme" $scheme)) (get $values.probes $probe | default dict))) }}
{{- end }}
{{- end }}
{{- if and .receives $values.preStopSeconds }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ $values.preStopSeconds }}
{{- end }}
resources:
  {{- include "sms-bridge.resources" . | nindent 2 }}
securityContext:
  {{- include "sms-bridge.securityContext" (dict "root" .root "context" $values.securityContext) | nindent 2 }}
volumeMounts:
  {{- include "sms-bridge.mounts" . | trim | nindent 2 }}
{{- end }}

{{- /* The variables. A pod that runs once lists the settings itself, because it may run before the ConfigMap exists. */ -}}
{{- define "sms-bridge.environment" -}}
{{- $values := .root.Values -}}
{{- $from := $values.extraEnvFrom | default list -}}
{{- $variables := list -}}
{{- if .once }}
{{- range $name, $value := include "sms-bridge.variables" .root | fromYaml }}
{{- $variables = append $variables (dict "name" $name "value" $value) }}
{{- end }}
{{- else }}
{{- $from = prepend $from (dict "configMapRef" (dict "name" (include "sms-bridge.fullname" .root))) }}
{{- $isOverruled := contains " SMS_BRIDGE_KAFKA__GROUP_INSTANCE_ID " (include "sms-bridge.overruled" .root) }}
{{- if and (eq .component "tracker") (include "sms-bridge.staticMembership" .root) (not $isOverruled) }}
{{- $podName := dict "fieldRef" (dict "fieldPath" "metadata.name") }}
{{- $variables = append $variables (dict "name" "SMS_BRIDGE_KAFKA__GROUP_INSTANCE_ID" "valueFrom" $podName) }}
{{- end }}
{{- end }}
{{- include "sms-bridge.fields" (dict "values" (dict "envFrom" $from "env" (concat $variables ($values.extraEnv | default list))) "names" (list "envFrom" "env") "indent" 0) }}
{{- end }}

{{- /* Fields of a table of values, each left out where it is empty. Takes values, names and indent. */ -}}
{{- define "sms-bridge.fields" -}}
{{- range .names }}
{{- $value := get $.values . }}
{{- if not (has (toJson $value) (list "null" "[]" "{}" "\"\"")) }}
{{- toYaml (dict . $value) | nindent (int $.indent) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sms-bridge.spread" -}}
{{- if .own.topologySpreadConstraints }}
{{- toYaml .own.topologySpreadConstraints }}
{{- else }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "sms-bridge.selectorLabels" $.root | nindent 6 }}
      app.kubernetes.io/component: {{ $.component }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A security context. Where the platform assigns user and groups (OpenShift), they are left out. */ -}}
{{- define "sms-bridge.securityContext" -}}
{{- $isAssigned := and (eq (toString .root.Values.adaptSecurityContext) "auto") (.root.Capabilities.APIVersions.Has "security.openshift.io/v1") -}}
{{- $context := .context | default dict -}}
{{- toYaml ($isAssigned | ternary (omit $context "runAsUser" "runAsGroup" "fsGroup") $context) }}
{{- end }}

{{- /* Whether the cache lies in the pod itself, on the node's disk. */ -}}
{{- define "sms-bridge.hasLocalState" -}}
{{- if and .state (or .once (not .root.Values.persistence.enabled)) }}true{{ end }}
{{- end }}

{{- /* Requests and limits. A cache on the node's disk counts as ephemeral storage, so it is added to that limit. */ -}}
{{- define "sms-bridge.resources" -}}
{{- $resources := deepCopy (.own.resources | default dict) -}}
{{- $limit := dig "ephemeral-storage" "" ($resources.limits | default dict) -}}
{{- if and $limit (include "sms-bridge.hasLocalState" .) (not .once) }}
{{- $state := include "sms-bridge.bytes" .root.Values.persistence.size | int64 }}
{{- $_ := set $resources.limits "ephemeral-storage" (add (include "sms-bridge.bytes" $limit | int64) $state | toString) }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{- define "sms-bridge.mounts" -}}
{{- if .state }}
- name: state
  mountPath: /var/lib/sms-bridge
{{- end }}
- name: tmp
  mountPath: /tmp
{{- if include "sms-bridge.secretSources" . }}
- name: secrets
  mountPath: /run/secrets/sms-bridge
  readOnly: true
{{- end }}
{{- if include "sms-bridge.kafkaTlsSources" .root }}
- name: kafka-tls
  mountPath: /etc/sms-bridge/kafka-tls
  readOnly: true
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "sms-bridge.volumes" -}}
{{- if include "sms-bridge.hasLocalState" . }}
- name: state
  emptyDir:
    sizeLimit: {{ ternary "16Mi" .root.Values.persistence.size (default false .once) }}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with include "sms-bridge.secretSources" (dict "root" .root "own" .ownSecret) | trim }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- with include "sms-bridge.kafkaTlsSources" .root | trim }}
- name: kafka-tls
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
