{{/* Fails on invalid combinations of values. Takes alias, worker, root. */}}
{{- define "til.checkWorker" -}}
{{- $w := .worker }}
{{- if gt (int $w.scaling.minReplicas) (int $w.scaling.maxReplicas) }}
{{- fail (printf "workers.%s: minReplicas is above maxReplicas" .alias) }}
{{- end }}
{{- if and $w.triton.enabled (ne $w.engine "openai") }}{{ fail (printf "workers.%s: triton needs the engine openai" .alias) }}{{ end }}
{{- if and (eq $w.engine "vllm") (ne $w.weights.from "image") (not $w.weights.path) }}{{ fail (printf "workers.%s: weights.path is missing" .alias) }}{{ end }}
{{- if and (has $w.weights.from (list "streamer" "fuse")) (include "til.usesModel" $w) (not $w.weights.bucket) }}
{{- fail (printf "workers.%s: weights.bucket is missing" .alias) }}
{{- end }}
{{- if and (eq $w.engine "openai") (not $w.triton.enabled) (not $w.openai.url) }}
{{- fail (printf "workers.%s: openai.url is missing" .alias) }}
{{- end }}
{{- if and (eq .root.Values.scaling.by "hpa") (eq (int $w.scaling.minReplicas) 0) (ne .root.Values.scaling.hpa.metric "autoscalingMetric") }}
{{- fail (printf "workers.%s: an HPA can scale to zero only with scaling.hpa.metric autoscalingMetric" .alias) }}
{{- end }}
{{- end }}

{{/* Not empty if the pod loads a model and needs a GPU. Takes a worker. */}}
{{- define "til.usesModel" -}}
{{- if or (eq .engine "vllm") .triton.enabled }}yes{{ end }}
{{- end }}

{{/* TIL_MODEL. Takes a worker's weights. */}}
{{- define "til.model" -}}
{{- if eq .from "streamer" }}gs://{{ .bucket }}/{{ .path }}
{{- else if eq .from "fuse" }}/models/{{ .path }}
{{- else }}{{ .path }}
{{- end }}
{{- end }}

{{- define "til.engineEnv" -}}
{{- $w := .worker }}
- {name: TIL_ALIAS, value: {{ .alias }}}
- {name: TIL_ENGINE, value: {{ $w.engine }}}
- {name: TIL_DRAIN_SECONDS, value: {{ $w.drainSeconds | quote }}}
{{- if eq $w.engine "vllm" }}
{{- with include "til.model" $w.weights }}
- {name: TIL_MODEL, value: {{ . | quote }}}
{{- end }}
{{- with $w.weights.revision }}
- {name: TIL_MODEL_REVISION, value: {{ . | quote }}}
{{- end }}
{{- with $w.profile }}
- {name: TIL_PROFILE, value: {{ . | quote }}}
{{- end }}
{{- else if eq $w.engine "openai" }}
- {name: TIL_OPENAI_URL, value: {{ ternary "http://127.0.0.1:9000/v1" $w.openai.url $w.triton.enabled | quote }}}
{{- with $w.openai.model }}
- {name: TIL_OPENAI_MODEL, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{ include "til.cacheEnv" . }}
{{- end }}

{{/* The root file system is read-only: caches of vLLM, Triton and their compilers are in /cache. */}}
{{- define "til.cacheEnv" -}}
- {name: HOME, value: /cache}
- {name: USER, value: til}
- {name: HF_HOME, value: /cache/huggingface}
- {name: TIL_CACHE_FOLDER, value: /cache/til-queue}
{{- end }}

{{- define "til.modelMounts" -}}
- {name: cache, mountPath: /cache}
{{- if include "til.usesModel" . }}
- {name: shm, mountPath: /dev/shm}
{{- if eq .weights.from "fuse" }}
- {name: models, mountPath: /models, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- define "til.modelVolumes" -}}
- name: cache
  emptyDir: {sizeLimit: {{ .cacheSize }}}
{{- if include "til.usesModel" . }}
- name: shm
  emptyDir: {medium: Memory, sizeLimit: {{ .shmSize }}}
{{- if eq .weights.from "fuse" }}
- name: models
  csi:
    driver: gcsfuse.csi.storage.gke.io
    readOnly: true
    volumeAttributes: {bucketName: {{ .weights.bucket }}, mountOptions: implicit-dirs}
{{- end }}
{{- end }}
{{- end }}

{{/* Requests and limits, with one GPU where gpu is set. */}}
{{- define "til.resources" -}}
{{- $resources := deepCopy .resources }}
{{- if .gpu }}
{{- range list "requests" "limits" }}
{{- $_ := set $resources . (merge (dict "nvidia.com/gpu" 1) (get $resources . | default dict)) }}
{{- end }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/* A command with the GPU driver's libraries first in LD_LIBRARY_PATH. A shell puts them before the image's own value,
which a variable of the pod would replace. It execs the command, which therefore gets the signals. Takes path, command. */}}
{{- define "til.onDriver" -}}
{{- $command := .command }}
{{- with .path }}
{{- $script := printf "export LD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; exec \"$0\" \"$@\"" . }}
{{- $command = concat (list "sh" "-c" $script) $command }}
{{- end }}
{{- toJson $command }}
{{- end }}

{{/* Triton as a sidecar: it is ready before the worker starts, and ends after the worker has drained. */}}
{{- define "til.triton" -}}
- name: triton
  image: {{ .triton.image }}
  imagePullPolicy: IfNotPresent
  restartPolicy: Always
  command: {{ include "til.onDriver" (dict "path" .driverLibraries "command" (list "python3" "/opt/tritonserver/python/openai/openai_frontend/main.py")) }}
  args:
    - --model-repository={{ .triton.repository }}
    - --tokenizer={{ .triton.tokenizer }}
    - --host=0.0.0.0
    - --openai-port=9000
  ports:
    - {name: triton, containerPort: 9000}
  env: {{- include "til.cacheEnv" . | nindent 4 }}
  startupProbe: {{ include "til.probe" (dict "path" "/health/ready" "port" "triton" "period" 10 "failures" (div (add (int .startupSeconds) 9) 10)) }}
  livenessProbe: {{ include "til.probe" (dict "path" "/health/ready" "port" "triton" "period" 20 "failures" 6) }}
  securityContext: {{- include "til.containerSecurity" . | nindent 4 }}
  resources: {{- include "til.resources" (dict "resources" .triton.resources "gpu" true) | nindent 4 }}
  volumeMounts:
    {{- include "til.modelMounts" . | nindent 4 }}
    - {name: tmp, mountPath: /tmp}
{{- end }}
