{{/* The prefix of every name, at most 40 characters. */}}
{{- define "til.name" -}}
{{- if contains "til-queue" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-til-queue" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Name of a cluster-scoped object: it includes the namespace, so that releases in different namespaces don't collide. At
most 63 characters, the limit for a node's label. Takes root, kind. */}}
{{- define "til.clusterName" -}}
{{- $name := printf "%s-%s-%s" (include "til.name" .root) .root.Release.Namespace .kind }}
{{- if gt (len $name) 63 }}{{ $name = printf "%s-%s" ($name | trunc 54 | trimSuffix "-") (sha256sum $name | trunc 8) }}{{ end }}
{{- $name }}
{{- end }}

{{/* Name of the ComputeClass that this release creates. */}}
{{- define "til.computeClass" -}}
{{- .Values.computeClass.name | default (include "til.clusterName" (dict "root" . "kind" "gpu")) }}
{{- end }}

{{/* Selector labels of a component's pods. Takes root, component and, for workers, model. Immutable. */}}
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

{{/* Reference of the image api or worker: by digest if given, else by tag. Takes root, image. */}}
{{- define "til.image" -}}
{{- $image := .root.Values.image }}
{{- $path := get $image .image }}
{{- with $image.registry }}{{ $path = printf "%s/%s" . $path }}{{ end }}
{{- $tag := $image.tag | default .root.Chart.AppVersion }}
{{- if eq .image "worker" }}{{ $tag = $image.workerTag | default $tag }}{{ end }}
{{- with get $image (printf "%sDigest" .image) }}{{ printf "%s@%s" $path . }}
{{- else }}{{ printf "%s:%s" $path $tag }}{{ end }}
{{- end }}

{{/* The settings of each model alias, as YAML: `worker` merged with the alias' own values. */}}
{{- define "til.workers" -}}
{{- $all := dict }}
{{- range $alias, $own := (.Values.workers | default (dict "default" dict)) }}
{{- $_ := set $all $alias (mergeOverwrite (deepCopy $.Values.worker) (deepCopy $own)) }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{/* Not empty if any alias has a Triton sidecar. */}}
{{- define "til.anyTriton" -}}
{{- range include "til.workers" . | fromYaml }}{{ if .triton.enabled }}yes{{ end }}{{ end }}
{{- end }}

{{/* TIL_MODELS, with the default model first. */}}
{{- define "til.models" -}}
{{- $aliases := keys (include "til.workers" . | fromYaml) | sortAlpha }}
{{- $first := .Values.defaultModel | default (first $aliases) }}
{{- if not (has $first $aliases) }}{{ fail (printf "defaultModel %q is not an alias in workers: %s" $first (join ", " $aliases)) }}{{ end }}
{{- prepend (without $aliases $first) $first | join "," }}
{{- end }}
