{{- /* Names, labels and values that several templates share. This file defines no objects. */ -}}

{{- define "sms-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "sms-bridge.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "sms-bridge.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "sms-bridge.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sms-bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sms-bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Pods that run once have another name, so that the service's Service, NetworkPolicy and budget do not select them. */ -}}
{{- define "sms-bridge.onceLabels" -}}
app.kubernetes.io/name: {{ include "sms-bridge.name" . }}-once
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sms-bridge.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "sms-bridge.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The metadata of an object. Takes root, name and, optionally, annotations and component. */ -}}
{{- define "sms-bridge.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "sms-bridge.labels" .root | nindent 2 }}
  {{- with .component }}
  app.kubernetes.io/component: {{ . }}
  {{- end }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "sms-bridge.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "sms-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "sms-bridge.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- /* Name of the Secret that is mounted as files; empty if there is none. */ -}}
{{- define "sms-bridge.secretName" -}}
{{- if .Values.existingSecret }}{{ .Values.existingSecret }}{{ else if .Values.secrets }}{{ include "sms-bridge.fullname" . }}{{ end }}
{{- end }}

{{- /* A value as the text of an environment variable. */ -}}
{{- define "sms-bridge.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{- define "sms-bridge.bootstrapServers" -}}
{{- if kindIs "slice" .Values.kafka.bootstrapServers }}{{ join "," .Values.kafka.bootstrapServers }}{{ else }}{{ .Values.kafka.bootstrapServers }}{{ end }}
{{- end }}

{{- define "sms-bridge.securityProtocol" -}}
{{- if and .Values.kafka.tls.enabled .Values.kafka.sasl.enabled }}SASL_SSL{{ else if .Values.kafka.tls.enabled }}SSL{{ else if .Values.kafka.sasl.enabled }}SASL_PLAINTEXT{{ else }}PLAINTEXT{{ end }}
{{- end }}

{{- /* The component that answers callbacks. */ -}}
{{- define "sms-bridge.receives" -}}
{{- ternary "receiver" "tracker" .Values.split }}
{{- end }}

{{- define "sms-bridge.partitions" -}}
{{- index .Values.config "TOPICS__JOURNAL_PARTITIONS" | default 24 | int }}
{{- end }}

{{- /* Whether trackers cache each other's partitions: by default, where few of them do. */ -}}
{{- define "sms-bridge.standby" -}}
{{- $trackers := int (ternary .Values.tracker.keda.maxReplicas .Values.tracker.replicas .Values.tracker.keda.enabled) -}}
{{- index .Values.config "STATE__STANDBY" | default (ternary "none" "all" (gt $trackers 3)) -}}
{{- end }}

{{- /* Whether trackers keep their partitions over a restart: by default, where no other tracker has a warm cache. */ -}}
{{- define "sms-bridge.staticMembership" -}}
{{- $static := .Values.tracker.staticMembership -}}
{{- if ternary (eq (include "sms-bridge.standby" .) "none") $static (kindIs "invalid" $static) }}true{{ end }}
{{- end }}

{{- /* The contents of the ConfigMap: the variables that are not secret. */ -}}
{{- define "sms-bridge.variables" -}}
{{- $kafka := .Values.kafka -}}
{{- $set := dict
  "KAFKA__BOOTSTRAP_SERVERS" (include "sms-bridge.bootstrapServers" .)
  "KAFKA__GROUP_ID" $kafka.groupId
  "KAFKA__CREATE_TOPICS" $kafka.createTopics
  "KAFKA__COMPRESSION" $kafka.compression
  "KAFKA__SECURITY_PROTOCOL" (include "sms-bridge.securityProtocol" .)
  "HTTP__PORT" "8080"
  "ADMIN__PORT" "9090"
  "STATE__DIRECTORY" "/var/lib/sms-bridge"
  "LOG__FORMAT" "json" -}}
{{- if eq (include "sms-bridge.standby" .) "none" }}
{{- $_ := set $set "STATE__STANDBY" "none" }}
{{- end }}
{{- if $kafka.sasl.enabled }}
{{- $_ := set $set "KAFKA__SASL_MECHANISM" $kafka.sasl.mechanism }}
{{- with $kafka.sasl.awsRegion }}
{{- $_ := set $set "KAFKA__AWS_REGION" . }}
{{- end }}
{{- with $kafka.sasl.oauth }}
{{- range $name, $value := dict "TOKEN_URL" .tokenUrl "CLIENT_ID" .clientId "SCOPE" .scope "CA_FILE" .caFile "TOKEN_FILE" .tokenFile }}
{{- if $value }}
{{- $_ := set $set (printf "KAFKA__OAUTH__%s" $name) $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if $kafka.tls.enabled }}
{{- $_ := set $set "KAFKA__SSL_CHECK_HOSTNAME" $kafka.tls.checkHostname }}
{{- if $kafka.tls.existingSecret }}
{{- range $name, $file := dict "CAFILE" $kafka.tls.caKey "CERTFILE" $kafka.tls.certKey "KEYFILE" $kafka.tls.keyKey }}
{{- if $file }}
{{- $_ := set $set (printf "KAFKA__SSL_%s" $name) (printf "/etc/sms-bridge/kafka-tls/%s" $file) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if include "sms-bridge.secretName" . }}
{{- $_ := set $set "SECRETS_DIR" "/run/secrets/sms-bridge" }}
{{- end }}
{{- range $name, $value := merge (dict) .Values.config $set }}
SMS_BRIDGE_{{ $name }}: {{ include "sms-bridge.text" $value | quote }}
{{- end }}
{{- end }}

{{- /* The contents of the Secret, which is mounted as files. */ -}}
{{- define "sms-bridge.secretFiles" -}}
{{- range $name, $value := .Values.secrets }}
SMS_BRIDGE_{{ $name }}: {{ (kindIs "slice" $value | ternary (join "," $value) $value) | quote }}
{{- end }}
{{- end }}

{{- /* Checks that compare one value with another, which the schema cannot express. */ -}}
{{- define "sms-bridge.refuse" -}}
{{- $partitions := include "sms-bridge.partitions" . | int }}
{{- with .Values.tracker }}
{{- if gt (int .replicas) $partitions }}
{{- fail (printf "tracker.replicas is %d, but the journal has %d partitions (config.TOPICS__JOURNAL_PARTITIONS): more pods would idle" (int .replicas) $partitions) }}
{{- end }}
{{- if and .keda.enabled (gt (int .keda.maxReplicas) $partitions) }}
{{- fail (printf "tracker.keda.maxReplicas is %d, but the journal has %d partitions: more pods would idle" (int .keda.maxReplicas) $partitions) }}
{{- end }}
{{- if and .keda.enabled $.Values.kafka.sasl.oauth.tokenFile }}
{{- fail "tracker.keda.enabled: KEDA cannot read the token in kafka.sasl.oauth.tokenFile" }}
{{- end }}
{{- if and .keda.enabled $.Values.kafka.sasl.enabled (eq $.Values.kafka.sasl.mechanism "AWS_MSK_IAM") }}
{{- fail "tracker.keda.enabled: this chart gives KEDA no AWS role; with AWS_MSK_IAM, create the ScaledObject yourself" }}
{{- end }}
{{- if and .keda.enabled (gt (int .keda.minReplicas) (int .keda.maxReplicas)) }}
{{- fail "tracker.keda.minReplicas is more than tracker.keda.maxReplicas" }}
{{- end }}
{{- end }}
{{- with .Values.receiver.autoscaling }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{- fail "receiver.autoscaling.minReplicas is more than receiver.autoscaling.maxReplicas" }}
{{- end }}
{{- end }}
{{- if ge (int .Values.preStopSeconds) (sub (int .Values.terminationGracePeriodSeconds) 15 | int) }}
{{- fail "preStopSeconds leaves less than 15 of the terminationGracePeriodSeconds: what was accepted must reach Kafka" }}
{{- end }}
{{- if not .Values.existingSecret }}
{{- $names := concat (keys .Values.config) (keys .Values.secrets) | join " " }}
{{- if not (or (contains "DEXATEL__" $names) (contains "SPEEDOCOM__" $names) (contains "WEBHOOKS__" $names)) }}
{{- fail "set up at least one provider: config.DEXATEL__…, config.SPEEDOCOM__… or config.WEBHOOKS__…, and its secrets" }}
{{- end }}
{{- end }}
{{- end }}
