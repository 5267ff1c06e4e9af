{{/* The prefix of every name. The longest suffix has 30 characters, and a name may have 63. */}}
{{- define "llmservice.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 33 | trimSuffix "-" -}}
{{- end -}}

{{- define "llmservice.manager" -}}
{{ include "llmservice.fullname" . }}-manager
{{- end -}}

{{- define "llmservice.metricsAPI" -}}
{{ include "llmservice.fullname" . }}-metrics-api
{{- end -}}

{{/* The Service of the webhook, and its configuration. */}}
{{- define "llmservice.webhook" -}}
{{ include "llmservice.fullname" . }}-webhook
{{- end -}}

{{- define "llmservice.labels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What selects the manager's pods: it can never change. */}}
{{- define "llmservice.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: manager
{{- end -}}

{{/* An image of the chart. A registry is a first part with a dot or a port, or localhost; imageRegistry takes its place. */}}
{{- define "llmservice.image" -}}
{{- $tag := .image.tag | default .chart.AppVersion -}}
{{- $repository := .image.repository -}}
{{- with .registry -}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $repository "") -}}
{{- end -}}
{{ $repository }}{{ if contains ":" $tag }}@{{ else }}:{{ end }}{{ $tag }}
{{- end -}}

{{/* The manager's ServiceAccount as the only subject of a binding. */}}
{{- define "llmservice.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "llmservice.manager" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* Whether the manager serves the metrics API, of which a cluster has one: by default, unless it watches some namespaces only. */}}
{{- define "llmservice.servesMetricsAPI" -}}
{{- if kindIs "bool" .Values.metricsAPI.enabled -}}
{{- ternary "true" "" .Values.metricsAPI.enabled -}}
{{- else if not .Values.watchNamespaces -}}
true
{{- end -}}
{{- end -}}

{{/* The rights to the Leases of the namespaces that are watched, and to see that of the whole cluster. */}}
{{- define "llmservice.claimRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [llmservice-operator]
  verbs: [get]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames:
  {{- range uniq .Values.watchNamespaces }}
  - llmservice-operator.{{ . }}
  {{- end }}
  verbs: [get, update]
{{- end -}}

{{/* The namespaces whose LLMServices the webhook checks. */}}
{{- define "llmservice.checkedNamespaces" -}}
{{- $selector := deepCopy .Values.webhook.namespaceSelector -}}
{{- with .Values.watchNamespaces -}}
{{- $watched := dict "key" "kubernetes.io/metadata.name" "operator" "In" "values" (uniq .) -}}
{{- $_ := set $selector "matchExpressions" (append ($selector.matchExpressions | default list) $watched) -}}
{{- end -}}
{{- toYaml $selector -}}
{{- end -}}
