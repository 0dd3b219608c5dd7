{{/* Scale out at once, scale in slowly: a new worker needs minutes to load its model. */}}
{{- define "til.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: 100, periodSeconds: 60}
    - {type: Pods, value: 4, periodSeconds: 60}
scaleDown:
  stabilizationWindowSeconds: {{ .stabilizationSeconds }}
  selectPolicy: Min
  policies:
    - {type: Pods, value: {{ .podsEachPeriod }}, periodSeconds: {{ .periodSeconds }}}
{{- end }}
