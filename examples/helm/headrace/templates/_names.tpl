{{- define "headrace.labels" -}}
app.kubernetes.io/name: headrace
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- define "headrace.selector" -}}
app.kubernetes.io/name: headrace
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "headrace.image" -}}
{{- $repository := required "image.repository: build the Dockerfile and say where the image is" .Values.image.repository -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{/* The name of a role's service; the argument is (list RELEASE ROLE). */}}
{{- define "headrace.door" -}}
{{- $role := index . 1 -}}
{{ index . 0 }}-{{ $role.name }}{{ with $role.pool }}-{{ . }}{{ end }}
{{- end }}
{{/* What `--role` says of a role. It listens on all addresses: gateways come from outside. */}}
{{- define "headrace.role" -}}
{{ .name }}{{ with .pool }}@{{ . }}{{ end }}=0.0.0.0:{{ .port }},health={{ .health }}
{{- with .timeout }},timeout={{ . }}{{ end }}
{{- if eq (toString .tls) "false" }},plain{{ end }}
{{- end }}
{{- define "headrace.namespaces" -}}
{{- .Values.kube.namespaces | default (list .Release.Namespace) | toJson -}}
{{- end }}

{{/* Whether the policy is in files, wholly or in part. */}}
{{- define "headrace.files" -}}
{{- if or .Values.policy .Values.existingPolicy (not (and .Values.kube.enabled .Values.kube.policiesFrom)) }}yes{{ end }}
{{- end }}
