{{- define "sinkd.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "sinkd" $name) }}{{ $name = printf "%s-sinkd" $name }}{{ end -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "sinkd.selector" -}}
app.kubernetes.io/name: sinkd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sinkd.labels" -}}
{{ include "sinkd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "sinkd.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "sinkd.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}{{ include "sinkd.name" . }}
{{- else }}default{{ end -}}
{{- end }}

{{- /* The variable as text. YAML reads off and no as false, and numbers as
floats; "off" turns a feature off, and SINKD_DELETES alone has false. */ -}}
{{- define "sinkd.value" -}}
{{- if kindIs "bool" .value -}}
{{- if .value }}true{{ else if eq .name "SINKD_DELETES" }}false{{ else }}off{{ end -}}
{{- else if kindIs "float64" .value }}{{ .value | int64 }}
{{- else }}{{ .value }}{{ end -}}
{{- end }}

{{- /* A variable of the configuration, or what sinkd has for it. */ -}}
{{- define "sinkd.config" -}}
{{- $value := index .root.Values.config .name -}}
{{- if kindIs "invalid" $value }}{{ .default }}
{{- else }}{{ include "sinkd.value" (dict "name" .name "value" $value) | default .default }}{{ end -}}
{{- end }}

{{- define "sinkd.schema" -}}
{{ include "sinkd.config" (dict "root" . "name" "SINKD_SCHEMA" "default" "sinkd") }}
{{- end }}

{{- define "sinkd.port" -}}
{{- $addr := include "sinkd.config" (dict "root" . "name" "SINKD_HTTP_ADDR" "default" ":8080") -}}
{{- if not (regexMatch "^(\\[::\\]|0\\.0\\.0\\.0)?:[0-9]+$" $addr) }}{{ fail (printf "config.SINKD_HTTP_ADDR: %q: the probes need it; leave it out, or write :PORT" $addr) }}{{ end -}}
{{- $addr | splitList ":" | last -}}
{{- end }}

{{- /* The drain in whole seconds. */ -}}
{{- define "sinkd.drain" -}}
{{- $drain := include "sinkd.config" (dict "root" . "name" "SINKD_DRAIN_TIMEOUT" "default" "30s") -}}
{{- if not (regexMatch "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$" $drain) -}}
{{- fail (printf "config.SINKD_DRAIN_TIMEOUT: %q: the chart reads whole hours, minutes and seconds, as 1m30s" $drain) -}}
{{- end -}}
{{- $seconds := 0 -}}
{{- range $unit, $factor := dict "h" 3600 "m" 60 "s" 1 -}}
{{- $number := regexFind (printf "[0-9]+%s" $unit) $drain | trimSuffix $unit | default "0" -}}
{{- $seconds = add $seconds (mul (int64 $number) $factor) -}}
{{- end -}}
{{- $seconds -}}
{{- end }}

{{- /* SINKD_MEMORY in MiB, rounded up. */ -}}
{{- define "sinkd.memory" -}}
{{- $memory := include "sinkd.config" (dict "root" . "name" "SINKD_MEMORY" "default" "256MiB") -}}
{{- if not (regexMatch "^[0-9]+ *(B|KiB|MiB|GiB|kB|KB|MB|GB)?$" $memory) -}}
{{- fail (printf "config.SINKD_MEMORY: %q is not a size; write it like 256MiB or 1GiB" $memory) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" $memory | int64 -}}
{{- $units := dict "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 "kB" 1000 "KB" 1000 "MB" 1000000 "GB" 1000000000 -}}
{{- $factor := get $units (regexFind "[A-Za-z]+" $memory) | default 1 -}}
{{- div (add (mul $number $factor) 1048575) 1048576 -}}
{{- end }}

{{- /* The limit leaves room beside the records in flight; the Go runtime
begins to save memory before the kernel kills the process. */ -}}
{{- define "sinkd.limit" -}}
{{- add (include "sinkd.memory" . | int64) 256 -}}
{{- end }}

{{- define "sinkd.goLimit" -}}
{{- div (mul (include "sinkd.limit" . | int64) 9) 10 -}}
{{- end }}

{{- define "sinkd.secret" -}}
{{- .Values.existingSecret | default (include "sinkd.name" .) -}}
{{- end }}

{{- /* The names of the secret variables, a comma between. */ -}}
{{- define "sinkd.secretKeys" -}}
{{- if and .Values.existingSecret .Values.secrets }}{{ fail "secrets and existingSecret are both set: use one of them" }}{{ end -}}
{{- if .Values.existingSecret }}{{ join "," .Values.existingSecretKeys }}
{{- else if not .Values.secrets.SINKD_DATABASE_URL }}{{ fail "SINKD_DATABASE_URL is missing: set existingSecret to a Secret that holds it, or secrets.SINKD_DATABASE_URL" }}
{{- else }}{{ keys .Values.secrets | sortAlpha | join "," }}{{ end -}}
{{- end }}

{{- define "sinkd.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "sinkd.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
