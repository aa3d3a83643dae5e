{{- /* What the schema cannot express: values that contradict each other, or the cluster. Each is one line that says what
to do. This file defines no objects. */ -}}

{{- /* The names under `config` that belong under `secrets`, as lines for people. Secrets do not get into these lines. */ -}}
{{- define "sms-bridge.misplacedSecrets" -}}
{{- $refused := .Files.Get "files/secret-settings.yaml" | fromYaml -}}
{{- range $name, $_ := .Values.config }}
{{- range $refused.secrets }}
{{- if regexMatch . $name }}
config.{{ $name }} is a secret: put it under `secrets`
{{- end }}
{{- end }}
{{- range $refused.groups }}
{{- if regexMatch . $name }}
config.{{ $name }} holds several settings: give each its own name, as {{ $name }}__…, and if it is a secret, put it under `secrets`
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sms-bridge.refuse" -}}
{{- $values := .Values -}}
{{- $kafka := $values.kafka -}}
{{- $sasl := $kafka.sasl -}}
{{- $oauth := $sasl.oauth -}}
{{- $tls := $kafka.tls -}}
{{- $keda := $values.tracker.keda -}}
{{- $scaling := $values.receiver.autoscaling -}}
{{- $budget := $values.podDisruptionBudget -}}
{{- $service := $values.service -}}
{{- $partitions := include "sms-bridge.partitions" . | int -}}
{{- $overruled := include "sms-bridge.overruled" . -}}
{{- $fixed := regexFindAll " SMS_BRIDGE_(HTTP__PORT|ADMIN__PORT|STATE__DIRECTORY) " $overruled -1 -}}
{{- $external := or $values.existingSecret $values.existingSecrets $values.extraEnvFrom (contains " SMS_BRIDGE_SECRETS_DIR " $overruled) -}}
{{- $names := printf " %s " (concat (keys ($values.config | default dict)) (keys ($values.secrets | default dict)) | join " ") -}}
{{- $given := printf "%s%s" ($names | replace " " "  SMS_BRIDGE_") $overruled -}}
{{- $secretMechanism := and $sasl.enabled (not $oauth.tokenUrl) (not $oauth.tokenFile) (ne $sasl.mechanism "AWS_MSK_IAM") -}}
{{- $userMechanism := and $secretMechanism (ne $sasl.mechanism "OAUTHBEARER") -}}
{{- $client := $tls.clientSecret | default $tls.existingSecret -}}
{{- $labels := list -}}
{{- range list $values.commonLabels $values.podLabels $values.tracker.podLabels $values.receiver.podLabels $values.topicsJob.podLabels $values.tests.podLabels }}
{{- range $label, $_ := . }}{{ if has $label (include "sms-bridge.reservedLabels" $ | splitList " ") }}{{ $labels = append $labels $label }}{{ end }}{{ end }}
{{- end }}
{{- $twice := list -}}
{{- range splitList " " $overruled | compact | uniq }}{{ if gt (len (regexFindAll (printf " %s " .) ($overruled | replace " " "  ") -1)) 1 }}{{ $twice = append $twice . }}{{ end }}{{ end }}
{{- $rules := list
  (list (empty $kafka.bootstrapServers)
    "kafka.bootstrapServers is missing: the addresses of Kafka's brokers, such as kafka:9092; several are separated by commas")
  (list (and $keda.enabled (not $values.split))
    "tracker.keda.enabled needs split: true, because without receivers, callbacks would come and go with the trackers that KEDA starts and stops")
  (list (and $scaling.enabled (not $values.split))
    "receiver.autoscaling.enabled needs split: true, because without it there are no receivers")
  (list (and (kindIs "bool" $values.tracker.receives) (not $values.split) (not $values.tracker.receives))
    "tracker.receives: false needs split: true; otherwise nobody would answer callbacks")
  (list (gt (int $values.tracker.replicas) $partitions)
    (printf "tracker.replicas is %d, but the journal has %d partitions (config.TOPICS__JOURNAL_PARTITIONS): more pods would idle" (int $values.tracker.replicas) $partitions))
  (list (and $keda.enabled (gt (int $keda.maxReplicas) $partitions))
    (printf "tracker.keda.maxReplicas is %d, but the journal has %d partitions: more pods would idle" (int $keda.maxReplicas) $partitions))
  (list (and $keda.enabled (gt (int $keda.minReplicas) (int $keda.maxReplicas)))
    "tracker.keda.minReplicas is more than tracker.keda.maxReplicas")
  (list (and $keda.enabled $oauth.tokenFile)
    "tracker.keda.enabled: KEDA cannot read the token in kafka.sasl.oauth.tokenFile")
  (list (and $keda.enabled $sasl.enabled (eq $sasl.mechanism "AWS_MSK_IAM"))
    "tracker.keda.enabled: this chart gives KEDA no AWS role; with AWS_MSK_IAM, create the ScaledObject yourself")
  (list (and $keda.enabled (contains " SMS_BRIDGE_KAFKA__" $overruled))
    "tracker.keda.enabled: KEDA does not see extraEnv; set the connection to Kafka with the values of kafka")
  (list (and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)))
    "receiver.autoscaling.minReplicas is more than receiver.autoscaling.maxReplicas")
  (list (and $values.ingress.enabled (not $values.ingress.host) (not $values.ingress.extraHosts))
    "ingress.enabled needs ingress.host: an Ingress for any host would be open to whatever points at it")
  (list (and $values.httpRoute.enabled (not $values.httpRoute.parentRefs))
    "httpRoute.enabled needs httpRoute.parentRefs: the gateways to attach to")
  (list (and $values.secrets (or $values.existingSecret $values.existingSecrets))
    "secrets and existingSecret exclude each other: either the chart makes the Secret, or you do")
  (list (and $secretMechanism (not $external) (not $sasl.existingSecret) (not (contains " SMS_BRIDGE_KAFKA__SASL_PASSWORD " $given)))
    "kafka.sasl.enabled needs a password: secrets.KAFKA__SASL_PASSWORD, kafka.sasl.existingSecret or existingSecret")
  (list (and $userMechanism (not $external) (not $sasl.username) (not (and $sasl.existingSecret $sasl.usernameKey)) (not (contains " SMS_BRIDGE_KAFKA__SASL_USERNAME " $given)))
    "kafka.sasl.enabled needs a user: kafka.sasl.username, kafka.sasl.usernameKey or secrets.KAFKA__SASL_USERNAME")
  (list (and $oauth.tokenUrl (not $oauth.clientId))
    "kafka.sasl.oauth.tokenUrl needs kafka.sasl.oauth.clientId")
  (list (and $oauth.tokenUrl (not $external) (not $sasl.existingSecret) (not (contains " SMS_BRIDGE_KAFKA__OAUTH__CLIENT_SECRET " $given)))
    "kafka.sasl.oauth.tokenUrl needs the client's secret: secrets.KAFKA__OAUTH__CLIENT_SECRET, kafka.sasl.existingSecret or existingSecret")
  (list (and (or $oauth.tokenUrl $oauth.tokenFile) (not (and $sasl.enabled (eq $sasl.mechanism "OAUTHBEARER"))))
    "kafka.sasl.oauth needs kafka.sasl.enabled: true and kafka.sasl.mechanism: OAUTHBEARER")
  (list (and $sasl.existingSecret (not $sasl.enabled))
    "kafka.sasl.existingSecret needs kafka.sasl.enabled: true")
  (list (ne (empty $tls.certKey) (empty $tls.keyKey))
    "kafka.tls.certKey and kafka.tls.keyKey belong together: a certificate needs its key")
  (list (ne (empty $tls.certFile) (empty $tls.keyFile))
    "kafka.tls.certFile and kafka.tls.keyFile belong together: a certificate needs its key")
  (list (and $tls.certKey (not $client))
    "kafka.tls.certKey needs kafka.tls.clientSecret or kafka.tls.existingSecret: the Secret that it is a key of")
  (list (and $tls.clientSecret (not $tls.certKey))
    "kafka.tls.clientSecret needs kafka.tls.certKey and kafka.tls.keyKey, such as tls.crt and tls.key")
  (list (and (or $tls.existingSecret $tls.clientSecret $tls.caFile $tls.certFile) (not $tls.enabled))
    "kafka.tls.enabled is false, but there are certificates in kafka.tls")
  (list (and (eq (get ($values.config | default dict) "PRIVACY__RECIPIENT" | default "") "hash") (not $external) (not (contains " SMS_BRIDGE_PRIVACY__HASH_KEY " $given)))
    "config.PRIVACY__RECIPIENT: hash needs secrets.PRIVACY__HASH_KEY")
  (list (not (or $external (contains "SMS_BRIDGE_DEXATEL__" $given) (contains "SMS_BRIDGE_SPEEDOCOM__" $given) (contains "SMS_BRIDGE_WEBHOOKS__" $given)))
    "set up at least one provider: config.DEXATEL__…, config.SPEEDOCOM__… or config.WEBHOOKS__…, and its secrets")
  (list (ge (int $values.preStopSeconds) (sub (int $values.terminationGracePeriodSeconds) 15 | int))
    "preStopSeconds leaves less than 15 of the terminationGracePeriodSeconds: what was accepted must reach Kafka")
  (list (not (empty $labels))
    (printf "labels that select pods cannot be set by values: %s" (uniq $labels | sortAlpha | join ", ")))
  (list (not (empty $twice))
    (printf "extraEnv has a name twice: %s" (join ", " $twice)))
  (list (not (empty $fixed))
    (printf "extraEnv cannot set what the chart depends on: %s" (join ", " $fixed | nospace)))
  (list (and $service.externalTrafficPolicy (eq $service.type "ClusterIP"))
    "service.externalTrafficPolicy needs service.type: LoadBalancer or NodePort")
  (list (and (or $service.loadBalancerClass $service.loadBalancerSourceRanges) (ne $service.type "LoadBalancer"))
    "service.loadBalancerClass and service.loadBalancerSourceRanges need service.type: LoadBalancer")
  (list (and $service.nodePort (eq $service.type "ClusterIP"))
    "service.nodePort needs service.type: NodePort or LoadBalancer")
  (list (and (eq ($service.ipFamilyPolicy | default "") "SingleStack") (gt (len ($service.ipFamilies | default list)) 1))
    "service.ipFamilies names two families, which service.ipFamilyPolicy: SingleStack excludes")
-}}
{{- $refused := concat (splitList "\n" (include "sms-bridge.misplacedSecrets" .)) (splitList "\n" (include "sms-bridge.forbiddenChanges" .)) | compact -}}
{{- range $rules }}{{ if first . }}{{ $refused = append $refused (last .) }}{{ end }}{{ end }}
{{- with $refused }}{{ fail (join "\n" .) }}{{ end }}
{{- end }}
