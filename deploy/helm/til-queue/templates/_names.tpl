{{/* The prefix of every name, at most 40 characters. */}}
{{- define "til.name" -}}
{{- if contains "til-queue" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-til-queue" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* The name of what belongs to the whole cluster: with the namespace, so that two releases don't meet. At most 63
characters, as a node's label may have. Takes root, kind. */}}
{{- define "til.clusterName" -}}
{{- $name := printf "%s-%s-%s" (include "til.name" .root) .root.Release.Namespace .kind }}
{{- if gt (len $name) 63 }}{{ $name = printf "%s-%s" ($name | trunc 54 | trimSuffix "-") (sha256sum $name | trunc 8) }}{{ end }}
{{- $name }}
{{- end }}

{{/* The ComputeClass that this release makes. */}}
{{- define "til.computeClass" -}}
{{- .Values.computeClass.name | default (include "til.clusterName" (dict "root" . "kind" "gpu")) }}
{{- end }}

{{/* What selects a component's pods. Takes root, component and, for workers, model. Never changed: it is immutable. */}}
{{- define "til.selector" -}}
app.kubernetes.io/name: til-queue
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .model }}
til-queue/model: {{ . }}
{{- end }}
{{- end }}

{{- define "til.labels" -}}
{{ include "til.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* An image, api or worker: by digest where one is given, else by tag. Takes root, image. */}}
{{- define "til.image" -}}
{{- $image := .root.Values.image }}
{{- $path := get $image .image }}
{{- with $image.registry }}{{ $path = printf "%s/%s" . $path }}{{ end }}
{{- $tag := $image.tag | default .root.Chart.AppVersion }}
{{- if eq .image "worker" }}{{ $tag = $image.workerTag | default $tag }}{{ end }}
{{- with get $image (printf "%sDigest" .image) }}{{ printf "%s@%s" $path . }}
{{- else }}{{ printf "%s:%s" $path $tag }}{{ end }}
{{- end }}

{{/* The workers of each model alias: what all have in common, and what the alias sets differently, as YAML. */}}
{{- define "til.workers" -}}
{{- $all := dict }}
{{- range $alias, $own := (.Values.workers | default (dict "default" dict)) }}
{{- $_ := set $all $alias (mergeOverwrite (deepCopy $.Values.worker) (deepCopy $own)) }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{/* Whether any worker has Triton beside it: not empty, where one has. */}}
{{- define "til.anyTriton" -}}
{{- range include "til.workers" . | fromYaml }}{{ if .triton.enabled }}yes{{ end }}{{ end }}
{{- end }}

{{/* TIL_MODELS of the api: the default first. */}}
{{- define "til.models" -}}
{{- $aliases := keys (include "til.workers" . | fromYaml) | sortAlpha }}
{{- $first := .Values.defaultModel | default (first $aliases) }}
{{- if not (has $first $aliases) }}{{ fail (printf "defaultModel %q is none of the workers' aliases: %s" $first (join ", " $aliases)) }}{{ end }}
{{- prepend (without $aliases $first) $first | join "," }}
{{- end }}
