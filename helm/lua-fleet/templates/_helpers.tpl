{{/* The chart's name. */}}
{{- define "lua-fleet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of the objects: 50 characters, so that suffixes fit into the 63 of a label. */}}
{{- define "lua-fleet.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Labels that never change: selectors are immutable. */}}
{{- define "lua-fleet.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lua-fleet.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lua-fleet.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "lua-fleet.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: lua-fleet
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Name, namespace and labels of an object. Args: root, suffix, component, labels. */}}
{{- define "lua-fleet.metadata" -}}
name: {{ include "lua-fleet.fullname" .root }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "lua-fleet.labels" .root | nindent 2 }}
  {{- with .component }}
  app.kubernetes.io/component: {{ . }}
  {{- end }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* What selects the pods of the fleet, and not that of the test. */}}
{{- define "lua-fleet.podLabels" -}}
{{ include "lua-fleet.selectorLabels" . }}
app.kubernetes.io/component: fleet
{{- end }}

{{- define "lua-fleet.serviceAccountName" -}}
{{- default (.Values.serviceAccount.create | ternary (include "lua-fleet.fullname" .) "default") .Values.serviceAccount.name -}}
{{- end }}

{{- define "lua-fleet.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Seconds until the kubelet kills. */}}
{{- define "lua-fleet.terminationGrace" -}}
{{- $drain := .Values.drain -}}
{{- if kindIs "invalid" $drain.terminationGracePeriodSeconds -}}
{{- add $drain.preStopSeconds $drain.fleetSeconds 10 -}}
{{- else -}}
{{- int $drain.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end }}

{{/* How the fleet reaches Temporal, as environment; the files are mounted by lua-fleet.temporalMounts. */}}
{{- define "lua-fleet.temporalEnv" -}}
{{- $temporal := .Values.temporal -}}
- name: TEMPORAL_ADDRESS
  value: {{ $temporal.address | quote }}
{{- with $temporal.namespace }}
- name: TEMPORAL_NAMESPACE
  value: {{ . | quote }}
{{- end }}
- name: TEMPORAL_TLS
  value: {{ or $temporal.tls.enabled (ne $temporal.auth.type "none") | quote }}
{{- with $temporal.tls.serverName }}
- name: TEMPORAL_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- if $temporal.tls.caSecret.name }}
- name: TEMPORAL_TLS_SERVER_CA_CERT_PATH
  value: /etc/temporal/ca/{{ $temporal.tls.caSecret.key }}
{{- end }}
{{- if eq $temporal.auth.type "apiKey" }}
- name: TEMPORAL_API_KEY_FILE
  value: /etc/temporal/api-key/{{ $temporal.auth.apiKey.key }}
{{- end }}
{{- if eq $temporal.auth.type "mtls" }}
- name: TEMPORAL_TLS_CLIENT_CERT_PATH
  value: /etc/temporal/client/tls.crt
- name: TEMPORAL_TLS_CLIENT_KEY_PATH
  value: /etc/temporal/client/tls.key
{{- end }}
{{- end }}

{{/* Secrets of the connection: whole directories, because a rotated secret never reaches a mount with a subPath. */}}
{{- define "lua-fleet.temporalMounts" -}}
{{- range $name, $_ := include "lua-fleet.temporalSecrets" . | fromYaml }}
- name: temporal-{{ $name }}
  mountPath: /etc/temporal/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "lua-fleet.temporalVolumes" -}}
{{- range $name, $secret := include "lua-fleet.temporalSecrets" . | fromYaml }}
- name: temporal-{{ $name }}
  secret:
    secretName: {{ $secret }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{- define "lua-fleet.temporalSecrets" -}}
{{- $temporal := .Values.temporal -}}
{{- with $temporal.tls.caSecret.name }}
ca: {{ . }}
{{- end }}
{{- if eq $temporal.auth.type "apiKey" }}
api-key: {{ $temporal.auth.apiKey.secretName }}
{{- end }}
{{- if eq $temporal.auth.type "mtls" }}
client: {{ $temporal.auth.mtls.secretName }}
{{- end }}
{{- end }}

{{/* /tmp and /dev/shm: the root file system is read-only, and the workers count into files in memory. */}}
{{- define "lua-fleet.scratchMounts" -}}
- name: scratch
  mountPath: /tmp
- name: shared-memory
  mountPath: /dev/shm
{{- end }}

{{- define "lua-fleet.scratchVolumes" -}}
{{- range list "scratch" "shared-memory" }}
- name: {{ . }}
  emptyDir:
    medium: Memory
    sizeLimit: {{ $.Values.scratchSizeLimit }}
{{- end }}
{{- end }}

{{/* A file's path as a key of a ConfigMap, which must not have slashes. */}}
{{- define "lua-fleet.fileKey" -}}
{{- replace "/" "__" . -}}
{{- end }}

{{/* A GET of the supervisor. Args: root, path, probe. */}}
{{- define "lua-fleet.probe" -}}
httpGet:
  path: {{ .path }}
  port: metrics
{{ toYaml .probe }}
{{- end }}

{{/* fleet.yaml. The fleet gets what is left of the kubelet's patience after the preStop hook. */}}
{{- define "lua-fleet.settings" -}}
{{- $drain := .Values.drain -}}
workers: {{ .Values.fleet.workers }}
pin: {{ .Values.fleet.cpuPinning | ternary "on" "off" | quote }}
worker_drain: {{ $drain.workerSeconds }}s
fleet_drain: {{ $drain.fleetSeconds }}s
termination_grace: {{ sub (include "lua-fleet.terminationGrace" . | int) $drain.preStopSeconds }}s
{{- $host := .Values.metrics.host }}
listen: "{{ contains ":" $host | ternary (printf "[%s]" $host) $host }}:{{ .Values.metrics.port }}"
{{- if not (hasKey .Values.fleet.settings "log_format") }}
log_format: json
{{- end }}
{{- with .Values.fleet.settings }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The application in the container. */}}
{{- define "lua-fleet.applicationDirectory" -}}
{{- $app := .Values.application -}}
{{- if and (eq $app.source "initContainer") $app.initContainer.subPath -}}
{{ $app.path }}/{{ $app.initContainer.subPath }}
{{- else -}}
{{ $app.path }}
{{- end -}}
{{- end }}

{{/* Name of the TriggerAuthentication of KEDA's temporal scaler; empty without one. */}}
{{- define "lua-fleet.kedaAuthentication" -}}
{{- if .Values.keda.authenticationRef -}}
{{ .Values.keda.authenticationRef }}
{{- else if ne .Values.temporal.auth.type "none" -}}
{{ include "lua-fleet.fullname" . }}-temporal
{{- end -}}
{{- end }}

{{/* Tasks that wait for the fleet or that it has in hand. Pods are named after the Deployment and its ReplicaSet. */}}
{{- define "lua-fleet.loadQuery" -}}
{{- $pods := printf "{namespace=%q,pod=~%q}" .Release.Namespace (printf "%s-[0-9a-z]+-[0-9a-z]+" (include "lua-fleet.fullname" .)) -}}
sum(fleet_task_queue_tasks_in_hand{{ $pods }}) + (sum(max by (entry, kind) (fleet_task_queue_backlog_tasks{{ $pods }})) or vector(0))
{{- end }}

{{/* Volumes of the pod, but for those of the values. */}}
{{- define "lua-fleet.volumes" -}}
{{- $full := include "lua-fleet.fullname" . -}}
{{- $app := .Values.application -}}
- name: settings
  configMap:
    name: {{ $full }}-settings
{{- include "lua-fleet.scratchVolumes" . }}
{{- include "lua-fleet.temporalVolumes" . }}
{{- if eq $app.source "initContainer" }}
- name: application
  emptyDir:
    sizeLimit: {{ $app.initContainer.sizeLimit }}
{{- else if eq $app.source "configMap" }}
- name: application
  configMap:
    name: {{ $app.configMap.name | default (printf "%s-application" $full) }}
    {{- with $app.configMap.files }}
    items:
      {{- range $path, $_ := . }}
      - key: {{ include "lua-fleet.fileKey" $path }}
        path: {{ $path }}
      {{- end }}
    {{- end }}
{{- end }}
{{- end }}

{{/* A duration of Prometheus, such as 1m30s. */}}
{{- define "lua-fleet.milliseconds" -}}
{{- $total := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 -}}
{{- $number := regexFind "[0-9]+" . | int -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $total = add $total (mul $number (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit)) -}}
{{- end -}}
{{- $total -}}
{{- end }}
