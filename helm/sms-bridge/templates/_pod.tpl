{{- /* The pod template that StatefulSet and Deployment share, and the parts that pods that run once use as well. */ -}}

{{- /* Takes root, component, roles, own (the component's values). */ -}}
{{- define "sms-bridge.pod" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $tracks := eq .component "tracker" -}}
{{- $receives := eq .component (include "sms-bridge.receives" $root) -}}
metadata:
  labels:
    {{- include "sms-bridge.selectorLabels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with merge (dict) .own.podLabels $values.podLabels $values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "sms-bridge.variables" $root | sha256sum }}
    checksum/secret: {{ include "sms-bridge.secretFiles" $root | sha256sum }}
    kubectl.kubernetes.io/default-container: sms-bridge
    {{- with merge (dict) .own.podAnnotations $values.podAnnotations $values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "sms-bridge.serviceAccountName" $root }}
  automountServiceAccountToken: false
  # Without this, a Service named sms-bridge would create variables that look like settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .own.topologySpreadConstraints }}
    {{- toYaml .own.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- $component := .component }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "sms-bridge.selectorLabels" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $component }}
    {{- end }}
    {{- end }}
  {{- with $values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: sms-bridge
      image: {{ include "sms-bridge.image" $root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [run, --roles, {{ .roles | quote }}]
      envFrom:
        - configMapRef:
            name: {{ include "sms-bridge.fullname" $root }}
        {{- with $values.extraEnvFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if or (and $tracks (include "sms-bridge.staticMembership" $root)) $values.extraEnv }}
      env:
        {{- if and $tracks (include "sms-bridge.staticMembership" $root) }}
        - name: SMS_BRIDGE_KAFKA__GROUP_INSTANCE_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- end }}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      ports:
        {{- if $receives }}
        - name: http
          containerPort: 8080
        {{- end }}
        - name: admin
          containerPort: 9090
      startupProbe:
        httpGet: {path: /livez, port: admin}
        {{- toYaml $values.probes.startup | nindent 8 }}
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        {{- toYaml $values.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        {{- toYaml $values.probes.readiness | nindent 8 }}
      {{- if and $receives $values.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ $values.preStopSeconds }}
      {{- end }}
      resources:
        {{- toYaml .own.resources | nindent 8 }}
      securityContext:
        {{- toYaml $values.securityContext | nindent 8 }}
      volumeMounts:
        {{- if $tracks }}
        - name: state
          mountPath: /var/lib/sms-bridge
        {{- end }}
        {{- include "sms-bridge.mounts" $root | nindent 8 }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with $values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- if and $tracks (not $values.persistence.enabled) }}
    - name: state
      emptyDir:
        sizeLimit: {{ $values.persistence.size }}
    {{- end }}
    {{- include "sms-bridge.volumes" (dict "root" $root "secretName" (include "sms-bridge.secretName" $root)) | nindent 4 }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "sms-bridge.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "sms-bridge.secretName" . }}
- name: secrets
  mountPath: /run/secrets/sms-bridge
  readOnly: true
{{- end }}
{{- if and .Values.kafka.tls.enabled .Values.kafka.tls.existingSecret }}
- name: kafka-tls
  mountPath: /etc/sms-bridge/kafka-tls
  readOnly: true
{{- end }}
{{- end }}

{{- /* Takes root and secretName. */ -}}
{{- define "sms-bridge.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with .secretName }}
- name: secrets
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .root.Values.kafka.tls }}
{{- if and .enabled .existingSecret }}
- name: kafka-tls
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end }}

{{- /* The pod of a Job or test. Takes root, args, secretName, resources and, if it needs a folder for the cache, state.
It lists its variables itself, because it may run before the ConfigMap exists. */ -}}
{{- define "sms-bridge.oncePodSpec" -}}
{{- $values := .root.Values -}}
restartPolicy: Never
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 10
securityContext:
  {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tracker.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tracker.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: sms-bridge
    image: {{ include "sms-bridge.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args: {{ .args | toJson }}
    {{- with $values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    env:
      {{- range $name, $value := include "sms-bridge.variables" .root | fromYaml }}
      - name: {{ $name }}
        value: {{ $value | quote }}
      {{- end }}
      {{- with $values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    resources:
      {{- toYaml .resources | nindent 6 }}
    securityContext:
      {{- toYaml $values.securityContext | nindent 6 }}
    volumeMounts:
      {{- if .state }}
      - name: state
        mountPath: /var/lib/sms-bridge
      {{- end }}
      {{- include "sms-bridge.mounts" .root | nindent 6 }}
      {{- with $values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  {{- if .state }}
  - name: state
    emptyDir:
      sizeLimit: 16Mi
  {{- end }}
  {{- include "sms-bridge.volumes" (dict "root" .root "secretName" .secretName) | nindent 2 }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
