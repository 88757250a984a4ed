{{- define "signalbox.name" -}}
{{- if contains "signalbox" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-signalbox" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "signalbox.selector" -}}
app.kubernetes.io/name: signalbox
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "signalbox.labels" -}}
{{ include "signalbox.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: signalbox
{{- end }}

{{- define "signalbox.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "signalbox.name" .) }}
{{- end }}

{{- define "signalbox.configMap" -}}
{{ .Values.existingConfigMap | default (printf "%s-policy" (include "signalbox.name" .)) }}
{{- end }}

{{- define "signalbox.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ $tag }}{{ end -}}
{{- end }}
