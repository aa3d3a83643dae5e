{{- /* What the chart asks of the cluster before an upgrade. Without a cluster (`helm template`, Argo CD) the answers are
empty, and the values alone decide. This file defines no objects. */ -}}

{{- /* Whether the pods of a live workload's template answer callbacks. */ -}}
{{- define "sms-bridge.isReceiving" -}}
{{- range dig "spec" "template" "spec" "containers" list (. | default dict) }}
{{- if and (eq .name "sms-bridge") (has "receive" (.args | default (list "") | last | splitList ",")) }}true{{ end }}
{{- end }}
{{- end }}

{{- /* Whether all pods of a live workload are of its current template, and ready. */ -}}
{{- define "sms-bridge.isReady" -}}
{{- $live := . | default dict -}}
{{- $wanted := dig "spec" "replicas" 0 $live | int -}}
{{- $seen := eq (dig "metadata" "generation" 0 $live | int) (dig "status" "observedGeneration" -1 $live | int) -}}
{{- $rolled := eq (dig "status" "updateRevision" "" $live) (dig "status" "currentRevision" "" $live) -}}
{{- if and $seen $rolled (gt $wanted 0) (eq (dig "status" "readyReplicas" 0 $live | int) $wanted) }}true{{ end }}
{{- end }}

{{- /* Who answers callbacks: `trackers` and `receivers`, each empty or not. While `split` is switched, both do, until the
new ones are ready. */ -}}
{{- define "sms-bridge.answering" -}}
{{- $statefulset := lookup "apps/v1" "StatefulSet" .Release.Namespace (include "sms-bridge.fullname" .) -}}
{{- $deployment := lookup "apps/v1" "Deployment" .Release.Namespace (include "sms-bridge.receiversName" .) -}}
{{- $trackersDo := include "sms-bridge.isReceiving" $statefulset -}}
{{- if .Values.split -}}
{{- $starting := and (ne $trackersDo "") (eq (include "sms-bridge.isReady" $deployment) "") -}}
receivers: "true"
trackers: {{ (kindIs "bool" .Values.tracker.receives | ternary .Values.tracker.receives $starting) | ternary "true" "" | quote }}
{{- else -}}
{{- $ready := and (ne $trackersDo "") (ne (include "sms-bridge.isReady" $statefulset) "") -}}
receivers: {{ and (not (empty $deployment)) (not $ready) | ternary "true" "" | quote }}
trackers: "true"
{{- end }}
{{- end }}

{{- /* The labels of the pods that answer callbacks. Pods of the chart 0.1.0 do not have the common label yet: the first
upgrade still selects them by their component. */ -}}
{{- define "sms-bridge.callbackSelector" -}}
{{- $statefulset := lookup "apps/v1" "StatefulSet" .Release.Namespace (include "sms-bridge.fullname" .) -}}
{{- $deployment := lookup "apps/v1" "Deployment" .Release.Namespace (include "sms-bridge.receiversName" .) -}}
{{- $labels := dig "spec" "template" "metadata" "labels" dict ($deployment | default $statefulset | default dict) -}}
{{ include "sms-bridge.selectorLabels" . }}
{{- if or (not $labels) (hasKey $labels "sms-bridge/callbacks") }}
sms-bridge/callbacks: "true"
{{- else }}
app.kubernetes.io/component: {{ get $labels "app.kubernetes.io/component" }}
{{- end }}
{{- end }}

{{- define "sms-bridge.trackersReceive" -}}
{{- get (include "sms-bridge.answering" . | fromYaml) "trackers" }}
{{- end }}

{{- define "sms-bridge.hasReceivers" -}}
{{- get (include "sms-bridge.answering" . | fromYaml) "receivers" }}
{{- end }}

{{- /* The kinds of pods that keep running, between spaces. */ -}}
{{- define "sms-bridge.components" -}}
tracker{{ if include "sms-bridge.hasReceivers" . }} receiver{{ end }}
{{- end }}

{{- /* `spec.replicas` of a workload, or nothing where an autoscaler owns it. To leave the field out makes it 1 unless
somebody has scaled, so until then the present number is kept. Takes root, kind, name, replicas, scaled and minimum. */ -}}
{{- define "sms-bridge.replicas" -}}
{{- $live := lookup "apps/v1" .kind .root.Release.Namespace .name -}}
{{- $isScaledByOthers := false -}}
{{- $isApplied := false -}}
{{- range dig "metadata" "managedFields" list ($live | default dict) }}
{{- if and (eq (dig "subresource" "" .) "scale") (hasKey (dig "fieldsV1" "f:spec" dict .) "f:replicas") }}{{ $isScaledByOthers = true }}{{ end }}
{{- if eq .operation "Apply" }}{{ $isApplied = true }}{{ end }}
{{- end }}
{{- if not .scaled -}}
replicas: {{ .replicas }}
{{- else if and $live (not (and $isScaledByOthers $isApplied)) -}}
replicas: {{ max (int $live.spec.replicas) (int .minimum) }}
{{- end }}
{{- end }}

{{- /* A quantity as a number of bytes. */ -}}
{{- define "sms-bridge.bytes" -}}
{{- $units := dict "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $text := kindIs "string" . | ternary . (int64 . | toString) -}}
{{- mulf (regexFind "^[0-9.]+" $text | float64) (get $units (regexFind "[A-Za-z]+$" $text) | default 1 | float64) | int64 }}
{{- end }}

{{- /* What Kubernetes doesn't allow an upgrade to change, as lines for people. */ -}}
{{- define "sms-bridge.forbiddenChanges" -}}
{{- $name := include "sms-bridge.fullname" . -}}
{{- $live := lookup "apps/v1" "StatefulSet" .Release.Namespace $name -}}
{{- if $live }}
{{- $claim := dict -}}
{{- range dig "spec" "volumeClaimTemplates" list $live }}{{ if eq .metadata.name "state" }}{{ $claim = .spec }}{{ end }}{{ end }}
{{- $want := .Values.persistence -}}
{{- $size := dig "resources" "requests" "storage" "0" $claim -}}
{{- $changes := dict
  "nameOverride" (list (dig "spec" "selector" "matchLabels" "app.kubernetes.io/name" "" $live) (include "sms-bridge.name" .))
  "persistence.enabled" (list (not (empty $claim)) $want.enabled) -}}
{{- if and $claim $want.enabled }}
{{- $_ := set $changes "persistence.size" (list $size (eq (include "sms-bridge.bytes" $size) (include "sms-bridge.bytes" $want.size) | ternary $size $want.size)) }}
{{- $_ := set $changes "persistence.storageClass" (list (get $claim "storageClassName") $want.storageClass) }}
{{- $_ := set $changes "persistence.accessModes" (list (get $claim "accessModes" | toJson) ($want.accessModes | toJson)) }}
{{- end }}
{{- range $value, $pair := $changes }}
{{- if ne (first $pair | toString) (last $pair | toString) }}
{{ $value }} is {{ last $pair | quote }}, but the StatefulSet {{ $name }} was created with {{ first $pair | quote }}, and Kubernetes does not allow to change that: run kubectl -n {{ $.Release.Namespace }} delete statefulset {{ $name }} --cascade=orphan, then upgrade (docs/operating.md)
{{- end }}
{{- end }}
{{- end }}
{{- $configMap := lookup "v1" "ConfigMap" .Release.Namespace $name -}}
{{- $group := dig "data" "SMS_BRIDGE_KAFKA__GROUP_ID" "" ($configMap | default dict) -}}
{{- if and $group (not .Values.kafka.groupId) (ne $group (include "sms-bridge.groupId" .)) }}
kafka.groupId is empty, which means {{ include "sms-bridge.groupId" . | quote }}, but this release runs with {{ $group | quote }}: set kafka.groupId: {{ $group }} to keep its offsets
{{- end }}
{{- end }}
