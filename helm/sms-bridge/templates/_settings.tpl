{{- /* The service's settings: its variables, and the Secrets that hold the others. This file defines no objects. */ -}}

{{- /* A value as the text of an environment variable. */ -}}
{{- define "sms-bridge.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{- define "sms-bridge.bootstrapServers" -}}
{{- if kindIs "slice" .Values.kafka.bootstrapServers }}{{ join "," .Values.kafka.bootstrapServers }}{{ else }}{{ .Values.kafka.bootstrapServers }}{{ end }}
{{- end }}

{{- define "sms-bridge.groupId" -}}
{{- .Values.kafka.groupId | default .Release.Name }}
{{- end }}

{{- define "sms-bridge.securityProtocol" -}}
{{- $protocols := dict "false false" "PLAINTEXT" "true false" "SSL" "false true" "SASL_PLAINTEXT" "true true" "SASL_SSL" -}}
{{- get $protocols (printf "%t %t" .Values.kafka.tls.enabled .Values.kafka.sasl.enabled) }}
{{- end }}

{{- define "sms-bridge.partitions" -}}
{{- get (.Values.config | default dict) "TOPICS__JOURNAL_PARTITIONS" | default 24 | int }}
{{- end }}

{{- /* Whether trackers cache each other's partitions: by default, where few of them do. */ -}}
{{- define "sms-bridge.standby" -}}
{{- $trackers := int (ternary .Values.tracker.keda.maxReplicas .Values.tracker.replicas .Values.tracker.keda.enabled) -}}
{{- get (.Values.config | default dict) "STATE__STANDBY" | default (ternary "none" "all" (gt $trackers 3)) -}}
{{- end }}

{{- /* Whether trackers keep their partitions over a restart: by default, where no other tracker has a warm cache. */ -}}
{{- define "sms-bridge.staticMembership" -}}
{{- $static := .Values.tracker.staticMembership -}}
{{- if ternary (eq (include "sms-bridge.standby" .) "none") $static (kindIs "invalid" $static) }}true{{ end }}
{{- end }}

{{- /* The names in `extraEnv`, between spaces. They overrule what the chart would set. */ -}}
{{- define "sms-bridge.overruled" -}}
{{- $names := list -}}
{{- range .Values.extraEnv }}{{ $names = append $names .name }}{{ end -}}
{{- printf " %s " (join " " $names) }}
{{- end }}

{{- /* Where the listeners bind: to both families where the Service has IPv6. */ -}}
{{- define "sms-bridge.listensOnIPv6" -}}
{{- if or (has "IPv6" (.Values.service.ipFamilies | default list)) (eq (.Values.service.ipFamilyPolicy | default "") "RequireDualStack") }}true{{ end }}
{{- end }}

{{- /* The contents of the ConfigMap: the variables that are not secret. */ -}}
{{- define "sms-bridge.variables" -}}
{{- $kafka := .Values.kafka -}}
{{- $servers := include "sms-bridge.bootstrapServers" . -}}
{{- /* A bracket of an IPv6 address would look like the beginning of a JSON list. */ -}}
{{- if hasPrefix "[" $servers }}{{ $servers = splitList "," $servers | toJson }}{{ end -}}
{{- $oauth := $kafka.sasl.oauth -}}
{{- $always := dict
  "KAFKA__BOOTSTRAP_SERVERS" $servers
  "KAFKA__GROUP_ID" (include "sms-bridge.groupId" .)
  "KAFKA__CREATE_TOPICS" $kafka.createTopics
  "KAFKA__COMPRESSION" $kafka.compression
  "KAFKA__SECURITY_PROTOCOL" (include "sms-bridge.securityProtocol" .)
  "HTTP__PORT" "8080"
  "ADMIN__PORT" "9090"
  "STATE__DIRECTORY" "/var/lib/sms-bridge"
  "LOG__FORMAT" "json" -}}
{{- $where := dict
  "listensOnIPv6" (dict "HTTP__HOST" "::" "ADMIN__HOST" "::")
  "withoutStandby" (dict "STATE__STANDBY" "none")
  "ownRunbooks" (dict "ADMIN__RUNBOOK_BASE" (include "sms-bridge.runbooks" .))
  "sasl" (dict
    "KAFKA__SASL_MECHANISM" $kafka.sasl.mechanism
    "KAFKA__SASL_USERNAME" $kafka.sasl.username
    "KAFKA__AWS_REGION" $kafka.sasl.awsRegion
    "KAFKA__OAUTH__TOKEN_URL" $oauth.tokenUrl
    "KAFKA__OAUTH__CLIENT_ID" $oauth.clientId
    "KAFKA__OAUTH__SCOPE" $oauth.scope
    "KAFKA__OAUTH__CA_FILE" $oauth.caFile
    "KAFKA__OAUTH__TOKEN_FILE" $oauth.tokenFile)
  "tls" (merge (dict "KAFKA__SSL_CHECK_HOSTNAME" $kafka.tls.checkHostname) (include "sms-bridge.kafkaFiles" . | fromYaml))
  "secrets" (dict "SECRETS_DIR" "/run/secrets/sms-bridge") -}}
{{- $chosen := dict
  "listensOnIPv6" (include "sms-bridge.listensOnIPv6" .)
  "withoutStandby" (eq (include "sms-bridge.standby" .) "none")
  "ownRunbooks" (ne (include "sms-bridge.runbooks" .) (include "sms-bridge.projectRunbooks" .))
  "sasl" $kafka.sasl.enabled
  "tls" $kafka.tls.enabled
  "secrets" (include "sms-bridge.secretSources" (dict "root" .)) -}}
{{- $set := $always -}}
{{- range $reason, $variables := $where }}
{{- if get $chosen $reason }}
{{- range $name, $value := $variables }}{{ if not (has (toJson $value) (list "null" "\"\"")) }}{{ $_ := set $set $name $value }}{{ end }}{{ end }}
{{- end }}
{{- end }}
{{- $overruled := include "sms-bridge.overruled" . -}}
{{- range $name, $value := merge (dict) (.Values.config | default dict) $set }}
{{- if not (contains (printf " SMS_BRIDGE_%s " $name) $overruled) }}
SMS_BRIDGE_{{ $name }}: {{ include "sms-bridge.text" $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* How probes and Prometheus speak to the admin port. */ -}}
{{- define "sms-bridge.adminScheme" -}}
{{- ternary "HTTPS" "HTTP" (hasKey (include "sms-bridge.variables" . | fromYaml) "SMS_BRIDGE_ADMIN__TLS_CERT") -}}
{{- end }}

{{- /* The contents of the chart's own Secret, which is mounted as files. */ -}}
{{- define "sms-bridge.secretFiles" -}}
{{- $overruled := include "sms-bridge.overruled" . -}}
{{- range $name, $value := .Values.secrets }}
{{- if not (contains (printf " SMS_BRIDGE_%s " $name) $overruled) }}
SMS_BRIDGE_{{ $name }}: {{ (kindIs "slice" $value | ternary (join "," $value) $value) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A checksum that changes with the secrets and helps nobody to guess them: salted, and slow to compute. */ -}}
{{- define "sms-bridge.secretChecksum" -}}
{{- $files := include "sms-bridge.secretFiles" . -}}
{{- if $files }}{{ derivePassword 1 "maximum" $files .Release.Name .Release.Namespace | sha256sum | trunc 32 }}{{ else }}none{{ end }}
{{- end }}

{{- /* The names of the Secrets whose keys are variables; `own` replaces the name of the chart's own one. */ -}}
{{- define "sms-bridge.secretNames" -}}
{{- $values := .root.Values -}}
{{- $names := concat (list $values.existingSecret) ($values.existingSecrets | default list) | compact -}}
{{- if and $values.secrets (not $names) }}{{ $names = list (.own | default (include "sms-bridge.fullname" .root)) }}{{ end -}}
{{- join " " $names }}
{{- end }}

{{- /* The sources of the folder of secrets; empty without any. Takes root and, optionally, own. */ -}}
{{- define "sms-bridge.secretSources" -}}
{{- range splitList " " (include "sms-bridge.secretNames" .) | compact }}
- secret:
    name: {{ . }}
{{- end }}
{{- with .root.Values.kafka.sasl }}
{{- if and .enabled .existingSecret }}
- secret:
    name: {{ .existingSecret }}
    items:
      {{- if .usernameKey }}
      - {key: {{ .usernameKey | quote }}, path: SMS_BRIDGE_KAFKA__SASL_USERNAME}
      {{- end }}
      - {key: {{ .passwordKey | quote }}, path: SMS_BRIDGE_KAFKA__{{ ternary "OAUTH__CLIENT_SECRET" "SASL_PASSWORD" (ne .oauth.tokenUrl "") }}}
{{- end }}
{{- end }}
{{- end }}

{{- /* Where a client finds one of Kafka's credentials: a Secret's name and key. Takes root, name and key (of `existingSecret`). */ -}}
{{- define "sms-bridge.credential" -}}
{{- $sasl := .root.Values.kafka.sasl -}}
{{- if and $sasl.existingSecret .key -}}
name: {{ $sasl.existingSecret }}
key: {{ .key }}
{{- else -}}
name: {{ include "sms-bridge.secretNames" . | splitList " " | first }}
key: SMS_BRIDGE_{{ .name }}
{{- end }}
{{- end }}

{{- /* The certificates for Kafka by their setting: files of one's own volumes, or of Secrets. */ -}}
{{- define "sms-bridge.kafkaFiles" -}}
{{- $settings := dict "ca.crt" "CAFILE" "tls.crt" "CERTFILE" "tls.key" "KEYFILE" -}}
{{- $files := dict -}}
{{- range include "sms-bridge.kafkaTlsSources" . | fromYamlArray }}
{{- range .secret.items }}
{{- $_ := set $files (printf "KAFKA__SSL_%s" (get $settings .path)) (printf "/etc/sms-bridge/kafka-tls/%s" .path) }}
{{- end }}
{{- end }}
{{- with .Values.kafka.tls }}
{{- range $setting, $file := dict "CAFILE" .caFile "CERTFILE" .certFile "KEYFILE" .keyFile }}
{{- if $file }}{{ $_ := set $files (printf "KAFKA__SSL_%s" $setting) $file }}{{ end }}
{{- end }}
{{- end }}
{{- toYaml $files }}
{{- end }}

{{- /* The sources of the folder with certificates for Kafka; empty without any. */ -}}
{{- define "sms-bridge.kafkaTlsSources" -}}
{{- with .Values.kafka.tls }}
{{- $client := .clientSecret | default .existingSecret }}
{{- if and .enabled .existingSecret .caKey }}
- secret:
    name: {{ .existingSecret }}
    items:
      - {key: {{ .caKey | quote }}, path: ca.crt}
{{- end }}
{{- if and .enabled $client .certKey }}
- secret:
    name: {{ $client }}
    items:
      - {key: {{ .certKey | quote }}, path: tls.crt}
      - {key: {{ .keyKey | quote }}, path: tls.key}
{{- end }}
{{- end }}
{{- end }}
