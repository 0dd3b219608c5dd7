{{/* Security contexts of all pods and containers. */}}
{{- define "til.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "til.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Names of a component's secrets (their variables), separated by spaces. Takes root, component, worker. */}}
{{- define "til.secrets" -}}
{{- $sealing := ternary " TIL_SECRET_KEYS" "" .root.Values.secrets.sealing }}
{{- if has .component (list "api" "steward") }}DATABASE_URL REDIS_URL{{ $sealing }}
{{- else if eq .component "migrate" }}DATABASE_URL REDIS_URL
{{- else if eq .component "flower" }}REDIS_URL FLOWER_BASIC_AUTH
{{- else }}DATABASE_URL REDIS_URL
{{- if .worker.openai.key }} TIL_OPENAI_KEY{{ end }}
{{- if .worker.weights.token }} HF_TOKEN{{ end }}
{{- end }}
{{- end }}

{{/* A secret's name in Secret Manager without the prefix, as in deploy/gce and deploy/gke. */}}
{{- define "til.secretName" -}}
{{- if eq . "FLOWER_BASIC_AUTH" }}flower-login
{{- else }}{{ . | lower | replace "_" "-" | trimPrefix "til-" }}
{{- end }}
{{- end }}

{{/* Variables with the paths of the secrets' files. */}}
{{- define "til.secretEnv" -}}
{{- if .root.Values.authorities.postgres }}
- {name: PGSSLROOTCERT, value: /run/til/tls/postgres.pem}
{{- end }}
{{- range splitList " " (include "til.secrets" .) }}
{{- if eq . "HF_TOKEN" }}
- {name: HF_TOKEN_PATH, value: /etc/til-queue/secrets/HF_TOKEN}
{{- else if ne . "FLOWER_BASIC_AUTH" }}
- {name: {{ . }}_FILE, value: /etc/til-queue/secrets/{{ . }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "til.secretVolume" -}}
- name: secrets
{{- if eq .root.Values.secrets.from "secretManager" }}
  csi:
    driver: secrets-store-gke.csi.k8s.io
    readOnly: true
    volumeAttributes: {secretProviderClass: {{ .name }}}
{{- else }}
  secret:
    secretName: {{ .root.Values.secrets.name }}
    defaultMode: 0440
    items:
    {{- range splitList " " (include "til.secrets" .) }}
      - {key: {{ . }}, path: {{ . }}}
    {{- end }}
{{- end }}
- name: authorities
  configMap:
    name: {{ include "til.name" .root }}{{ if eq .component "migrate" }}-migrate{{ end }}-authorities
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- end }}

{{- define "til.mounts" -}}
- {name: secrets, mountPath: /etc/til-queue/secrets, readOnly: true}
- {name: authorities, mountPath: /run/til/tls, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{/* Settings without secrets; the component's own override the common ones. */}}
{{- define "til.settings" -}}
{{- range $name, $value := merge (dict) .own .root.Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- if and (ne .component "worker") .root.Values.network.webhookCidrs }}
- {name: TIL_WEBHOOK_ALLOWED_NETWORKS, value: {{ join "," .root.Values.network.webhookCidrs | quote }}}
{{- end }}
- {name: TIL_METRICS_HOST, value: 0.0.0.0}
- {name: TIL_METRICS_PORT, value: "9100"}
{{- end }}

{{/* Spreads a component's pods over zones and nodes. Same arguments as til.selector. */}}
{{- define "til.spread" -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "til.selector" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{/* Start of a pod spec. The migration runs before the priority classes exist. Takes root, component, name. */}}
{{- define "til.podStart" -}}
serviceAccountName: {{ .name }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "til.podSecurity" . | nindent 2 }}
{{- if and .root.Values.priorityClasses.create (ne .component "migrate") }}
{{- $kind := ternary "worker" "service" (eq .component "worker") }}
priorityClassName: {{ include "til.clusterName" (dict "root" .root "kind" $kind) }}
{{- end }}
{{- end }}

{{/* An HTTP probe. Takes path, port, period, failures. */}}
{{- define "til.probe" -}}
{httpGet: {path: {{ .path }}, port: {{ .port }}}, periodSeconds: {{ .period }}, timeoutSeconds: 5, failureThreshold: {{ .failures }}}
{{- end }}
