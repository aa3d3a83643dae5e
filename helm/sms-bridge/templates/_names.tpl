{{- /* Names, labels and links. This file defines no objects. */ -}}

{{- /* A text as a DNS label of at most 40 characters. A hash tells apart what was cut or changed. */ -}}
{{- define "sms-bridge.dnsLabel" -}}
{{- $label := regexReplaceAll "[^a-z0-9-]+" (lower .) "-" | trimAll "-" -}}
{{- if regexMatch "^[0-9]" $label }}{{ $label = printf "r%s" $label }}{{ end -}}
{{- if or (ne $label .) (gt (len $label) 40) }}
{{- $label = printf "%s-%s" ($label | trunc 31 | trimSuffix "-") (sha256sum . | trunc 8) }}
{{- end }}
{{- $label }}
{{- end }}

{{- define "sms-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride }}
{{- end }}

{{- define "sms-bridge.fullname" -}}
{{- $name := include "sms-bridge.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- include "sms-bridge.dnsLabel" (.Values.fullnameOverride | default $full) }}
{{- end }}

{{- define "sms-bridge.receiversName" -}}
{{- include "sms-bridge.fullname" . }}-receivers
{{- end }}

{{- define "sms-bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sms-bridge.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Pods that run once have another name, so that the service's Service, NetworkPolicy and budget do not select them. */ -}}
{{- define "sms-bridge.onceLabels" -}}
app.kubernetes.io/name: {{ include "sms-bridge.name" . }}-once
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Labels that select pods, or by which Helm knows its objects; values must not overrule them. */ -}}
{{- define "sms-bridge.reservedLabels" -}}
app.kubernetes.io/name app.kubernetes.io/instance app.kubernetes.io/component app.kubernetes.io/managed-by sms-bridge/callbacks
{{- end }}

{{- define "sms-bridge.labels" -}}
{{ include "sms-bridge.selectorLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
app.kubernetes.io/version: {{ include "sms-bridge.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}

{{- /* The image's tag as a label: without a digest, and ending in a letter or a digit. */ -}}
{{- define "sms-bridge.version" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- regexReplaceAll "[^A-Za-z0-9]+$" (regexReplaceAll "@.*" $tag "" | trunc 63) "" }}
{{- end }}

{{- /* The metadata of an object. Takes root, name and, optionally, namespace, labels, annotations and component. */ -}}
{{- define "sms-bridge.metadata" -}}
{{- $labels := include "sms-bridge.labels" .root | fromYaml -}}
{{- with .component }}{{ $_ := set $labels "app.kubernetes.io/component" . }}{{ end -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- toYaml (mergeOverwrite $labels (.root.Values.commonLabels | default dict) (.labels | default dict)) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "sms-bridge.image" -}}
{{- with .Values.image -}}
{{- $registry := dig "imageRegistry" "" ($.Values.global | default dict) | default .registry | default "" -}}
{{- $tag := ternary (printf "@%s" .digest) (printf ":%s" (.tag | default $.Chart.AppVersion)) (ne (.digest | default "") "") -}}
{{- printf "%s%s%s" (ternary (printf "%s/" $registry) "" (ne $registry "")) .repository $tag }}
{{- end }}
{{- end }}

{{- /* The secrets for pulling the image, those of all charts (names or objects) and this one's. */ -}}
{{- define "sms-bridge.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (dig "imagePullSecrets" list (.Values.global | default dict) | default list) (.Values.imagePullSecrets | default list) -}}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name")) -}}
{{- end -}}
{{- range uniq $names }}
- name: {{ . }}
{{- end }}
{{- end }}

{{- /* Where the project publishes its runbooks: the files of alerts and dashboards link there. */ -}}
{{- define "sms-bridge.projectRunbooks" -}}
{{- .Chart.Home }}/docs/runbooks
{{- end }}

{{- define "sms-bridge.runbooks" -}}
{{- .Values.prometheusRule.runbookBase | default (include "sms-bridge.projectRunbooks" .) | trimSuffix "/" }}
{{- end }}

{{- define "sms-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "sms-bridge.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}
