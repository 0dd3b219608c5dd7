{{/* Out at once, to what is desired; in slowly, since a worker that is started again loads its model for minutes. */}}
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
