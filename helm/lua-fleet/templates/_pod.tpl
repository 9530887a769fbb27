{{/* The pods of the fleet, as the template of whatever makes them. */}}
{{- define "lua-fleet.podTemplate" -}}
{{- $app := .Values.application -}}
metadata:
  annotations:
    # A changed setting or file rolls the pods.
    checksum/config: {{ include "lua-fleet.settings" . | sha256sum }}
    {{- with $app.configMap.files }}
    checksum/application: {{ toJson . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  # Without the chart's version: a new chart that changes nothing of the pods does not roll them.
  labels:
    {{- include "lua-fleet.podLabels" . | nindent 4 }}
    {{- with .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "lua-fleet.serviceAccountName" . }}
  # Nothing in the pod talks to the Kubernetes API.
  automountServiceAccountToken: false
  # Links to a Service named "fleet" would be variables named FLEET_…, which are settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "lua-fleet.terminationGrace" . }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or .Values.initContainers (eq $app.source "initContainer") }}
  initContainers:
    {{- with .Values.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if eq $app.source "initContainer" }}
    - name: application
      image: {{ $app.initContainer.image }}
      {{- with $app.initContainer.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $app.initContainer.args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $app.initContainer.env }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        {{- toYaml $app.initContainer.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: application
          mountPath: {{ $app.initContainer.mountPath }}
        - name: scratch
          mountPath: /tmp
        {{- with $app.initContainer.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- end }}
  {{- end }}
  containers:
    - name: fleet
      image: {{ include "lua-fleet.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [fleet]
      args:
        - supervise
        - {{ include "lua-fleet.applicationDirectory" . }}
        - --config
        - /etc/lua-fleet/fleet.yaml
      workingDir: /tmp
      env:
        - name: HOME
          value: /tmp
        {{- include "lua-fleet.temporalEnv" . | nindent 8 }}
        {{- with .Values.versioning }}
        {{- if .enabled }}
        - name: TEMPORAL_DEPLOYMENT_NAME
          value: {{ .deploymentName | quote }}
        {{- with .buildId }}
        - name: TEMPORAL_WORKER_BUILD_ID
          value: {{ . | quote }}
        {{- end }}
        {{- end }}
        {{- if or .enabled .workerController.enabled }}
        - name: TEMPORAL_DEFAULT_VERSIONING_BEHAVIOR
          value: {{ .behavior | quote }}
        {{- end }}
        {{- end }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ .Values.metrics.port }}
        {{- range .Values.http.ports }}
        - name: {{ .name }}
          containerPort: {{ .containerPort }}
        {{- end }}
      startupProbe:
        {{- include "lua-fleet.probe" (dict "path" "/livez" "probe" .Values.probes.startup) | nindent 8 }}
      livenessProbe:
        {{- include "lua-fleet.probe" (dict "path" "/livez" "probe" .Values.probes.liveness) | nindent 8 }}
      readinessProbe:
        {{- include "lua-fleet.probe" (dict "path" "/readyz" "probe" .Values.probes.readiness) | nindent 8 }}
      {{- if .Values.drain.preStopSeconds }}
      lifecycle:
        preStop:
          exec:
            command: [sleep, {{ .Values.drain.preStopSeconds | quote }}]
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: settings
          mountPath: /etc/lua-fleet
          readOnly: true
        {{- include "lua-fleet.scratchMounts" . | nindent 8 }}
        {{- include "lua-fleet.temporalMounts" . | nindent 8 }}
        {{- if ne $app.source "image" }}
        - name: application
          mountPath: {{ $app.path }}
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "lua-fleet.volumes" . | nindent 4 }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  topologySpreadConstraints:
    {{- with .Values.topologySpreadConstraints }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      # The pods that an upgrade replaces do not count.
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "lua-fleet.podLabels" $ | nindent 10 }}
    {{- end }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end }}
