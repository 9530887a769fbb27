{{/* What the schema cannot see: how values fit together. Each message begins with the path of the value. */}}
{{- define "lua-fleet.validate" -}}
{{- include "lua-fleet.validate.drain" . -}}
{{- include "lua-fleet.validate.application" . -}}
{{- include "lua-fleet.validate.temporal" . -}}
{{- include "lua-fleet.validate.resources" . -}}
{{- include "lua-fleet.validate.pinning" . -}}
{{- include "lua-fleet.validate.keda" . -}}
{{- include "lua-fleet.validate.workerController" . -}}
{{- include "lua-fleet.validate.pod" . -}}
{{- include "lua-fleet.validate.scaling" . -}}
{{- include "lua-fleet.validate.network" . -}}
{{- include "lua-fleet.validate.settings" . -}}
{{- end }}

{{- define "lua-fleet.validate.drain" -}}
{{- $drain := .Values.drain -}}
{{- if le (int $drain.fleetSeconds) (int $drain.workerSeconds) -}}
{{- fail (printf "drain.fleetSeconds (%d) must be longer than drain.workerSeconds (%d): the fleet has to reap and log a worker that is killed at its own deadline" (int $drain.fleetSeconds) (int $drain.workerSeconds)) -}}
{{- end -}}
{{- $grace := include "lua-fleet.terminationGrace" . | int -}}
{{- $needed := add $drain.preStopSeconds $drain.fleetSeconds -}}
{{- if le $grace (int $needed) -}}
{{- fail (printf "drain.terminationGracePeriodSeconds (%d) must be longer than drain.preStopSeconds + drain.fleetSeconds (%d): the kubelet would kill what still has time; leave it empty to have it computed" $grace (int $needed)) -}}
{{- end -}}
{{- end }}

{{- define "lua-fleet.validate.application" -}}
{{- $app := .Values.application -}}
{{- if eq $app.source "configMap" -}}
{{- if and $app.configMap.name $app.configMap.files -}}
{{- fail "application.configMap: give name or files, not both" -}}
{{- end -}}
{{- if not (or $app.configMap.name $app.configMap.files) -}}
{{- fail "application.configMap: application.source is configMap, so name or files must be given" -}}
{{- end -}}
{{- else if or $app.configMap.name $app.configMap.files -}}
{{- fail (printf "application.configMap is given, but application.source is %s: set it to configMap" $app.source) -}}
{{- end -}}
{{- if and (eq $app.source "initContainer") (not $app.initContainer.image) -}}
{{- fail "application.initContainer.image: application.source is initContainer, so an image must be given" -}}
{{- end -}}
{{- if and (ne $app.source "initContainer") $app.initContainer.image -}}
{{- fail (printf "application.initContainer.image is given, but application.source is %s: set it to initContainer" $app.source) -}}
{{- end -}}
{{- end }}

{{- define "lua-fleet.validate.temporal" -}}
{{- $auth := .Values.temporal.auth -}}
{{- range $type, $path := dict "apiKey" "apiKey" "mtls" "mtls" -}}
{{- $secret := (index $auth $path).secretName -}}
{{- if and (eq $auth.type $type) (not $secret) -}}
{{- fail (printf "temporal.auth.%s.secretName: temporal.auth.type is %s, so the secret must be named" $path $type) -}}
{{- end -}}
{{- if and (ne $auth.type $type) $secret -}}
{{- fail (printf "temporal.auth.%s.secretName is given, but temporal.auth.type is %s: set it to %s" $path $auth.type $type) -}}
{{- end -}}
{{- end -}}
{{- $tls := .Values.temporal.tls -}}
{{- if not (or $tls.enabled (ne $auth.type "none")) -}}
{{- range $path, $value := dict "caSecret.name" $tls.caSecret.name "serverName" $tls.serverName -}}
{{- if $value -}}
{{- fail (printf "temporal.tls.%s is given, but temporal.tls.enabled is false: set it to true" $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.versioning.enabled (not .Values.versioning.deploymentName) -}}
{{- fail "versioning.deploymentName: versioning.enabled is true, so the worker deployment must be named" -}}
{{- end -}}
{{- if and (not .Values.versioning.enabled) (or .Values.versioning.deploymentName .Values.versioning.buildId) -}}
{{- fail "versioning.enabled is false, but versioning.deploymentName or versioning.buildId is given: set it to true" -}}
{{- end -}}
{{- range .Values.env -}}
{{- if or (hasPrefix "TEMPORAL_" .name) (hasPrefix "FLEET_" .name) -}}
{{- fail (printf "env: %s would contradict what the chart sets: use temporal, versioning or fleet.settings" .name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What the fleet takes from the limits of its container must be there: without them it counts what the node has. */}}
{{- define "lua-fleet.validate.resources" -}}
{{- $limits := .Values.resources.limits | default dict -}}
{{- if and (not (hasKey $limits "memory")) (not (hasKey .Values.fleet.settings "cache_memory")) -}}
{{- fail "resources.limits.memory must be given: without it the caches of each pod would take their share of the node's memory (or give fleet.settings.cache_memory)" -}}
{{- end -}}
{{- if and (not (hasKey $limits "cpu")) (eq (toString .Values.fleet.workers) "auto") -}}
{{- fail "resources.limits.cpu must be given: fleet.workers is auto, and each pod would have a worker for each CPU of the node (or give fleet.workers a number)" -}}
{{- end -}}
{{- end }}

{{/* The kubelet gives CPUs of their own only to pods of which every container, those of init included, is Guaranteed. */}}
{{- define "lua-fleet.validate.pinning" -}}
{{- if .Values.fleet.cpuPinning -}}
{{- $cpu := dig "limits" "cpu" "" .Values.resources | toString -}}
{{- if not (regexMatch "^[1-9][0-9]*(000m)?$" $cpu) -}}
{{- fail (printf "resources.limits.cpu is %q, but fleet.cpuPinning needs a whole number of CPUs: the static CPU manager gives CPUs of their own to no other pods" $cpu) -}}
{{- end -}}
{{- $cpus := trimSuffix "000m" $cpu | int -}}
{{- if and (ne (toString .Values.fleet.workers) "auto") (gt (int .Values.fleet.workers) $cpus) -}}
{{- fail (printf "fleet.workers (%d) must not be more than resources.limits.cpu (%d): fleet.cpuPinning gives each worker one of them" (int .Values.fleet.workers) $cpus) -}}
{{- end -}}
{{- include "lua-fleet.validate.guaranteed" (dict "path" "resources" "resources" .Values.resources) -}}
{{- if eq .Values.application.source "initContainer" -}}
{{- include "lua-fleet.validate.guaranteed" (dict "path" "application.initContainer.resources" "resources" .Values.application.initContainer.resources) -}}
{{- end -}}
{{- range $path := list "initContainers" "sidecars" -}}
{{- range $index, $container := index $.Values $path -}}
{{- include "lua-fleet.validate.guaranteed" (dict "path" (printf "%s[%d].resources" $path $index) "resources" ($container.resources | default dict)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Args: path, resources. */}}
{{- define "lua-fleet.validate.guaranteed" -}}
{{- $limits := .resources.limits | default dict -}}
{{- $requests := .resources.requests | default $limits -}}
{{- range $name := list "cpu" "memory" -}}
{{- if not (hasKey $limits $name) -}}
{{- fail (printf "%s.limits.%s must be given: fleet.cpuPinning needs the QoS class Guaranteed of the whole pod" $.path $name) -}}
{{- end -}}
{{- if ne (get $requests $name | default (get $limits $name) | toString) (get $limits $name | toString) -}}
{{- fail (printf "%s.requests.%s must equal %s.limits.%s: fleet.cpuPinning needs the QoS class Guaranteed of the whole pod" $.path $name $.path $name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "lua-fleet.validate.scaling" -}}
{{- $auto := .Values.autoscaling -}}
{{- $keda := .Values.keda -}}
{{- if and $auto.enabled $keda.enabled -}}
{{- fail "keda.enabled and autoscaling.enabled are both true: KEDA makes an HPA of its own, and the two would fight" -}}
{{- end -}}
{{- range $path, $scaler := dict "autoscaling" $auto "keda" $keda -}}
{{- if and $scaler.enabled (gt (int $scaler.minReplicas) (int $scaler.maxReplicas)) -}}
{{- fail (printf "%s.minReplicas (%d) must not be greater than %s.maxReplicas (%d)" $path (int $scaler.minReplicas) $path (int $scaler.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if and $auto.enabled (not $auto.targetCPUUtilizationPercentage) (not $auto.metrics) -}}
{{- fail "autoscaling: nothing to scale by: give targetCPUUtilizationPercentage or metrics" -}}
{{- end -}}
{{- if and $auto.enabled $auto.targetCPUUtilizationPercentage (not (dig "requests" "cpu" "" .Values.resources)) -}}
{{- fail "resources.requests.cpu must be given: autoscaling.targetCPUUtilizationPercentage is a share of it" -}}
{{- end -}}
{{- $pdb := .Values.podDisruptionBudget -}}
{{- if and $pdb.enabled (not (kindIs "invalid" $pdb.minAvailable)) (not (kindIs "invalid" $pdb.maxUnavailable)) -}}
{{- fail "podDisruptionBudget: give minAvailable or maxUnavailable, not both" -}}
{{- end -}}
{{- if and $pdb.enabled (has (toString $pdb.maxUnavailable) (list "0" "0%")) -}}
{{- fail (printf "podDisruptionBudget.maxUnavailable is %s: no node could ever be drained" (toString $pdb.maxUnavailable)) -}}
{{- end -}}
{{- if and $pdb.enabled (eq (toString $pdb.minAvailable) "100%") -}}
{{- fail "podDisruptionBudget.minAvailable is 100%: no node could ever be drained" -}}
{{- end -}}
{{- $least := $auto.enabled | ternary $auto.minReplicas ($keda.enabled | ternary $keda.minReplicas .Values.replicaCount) | int -}}
{{- if and $pdb.enabled (or (kindIs "float64" $pdb.minAvailable) (kindIs "int64" $pdb.minAvailable)) (ge (int $pdb.minAvailable) $least) (gt $least 0) -}}
{{- fail (printf "podDisruptionBudget.minAvailable (%d) must be less than the fewest pods (%d): no node could ever be drained" (int $pdb.minAvailable) $least) -}}
{{- end -}}
{{- end }}

{{- define "lua-fleet.validate.keda" -}}
{{- $keda := .Values.keda -}}
{{- $temporal := .Values.temporal -}}
{{- if $keda.enabled -}}
{{- if not (or $keda.queues $keda.triggers $keda.load.serverAddress) -}}
{{- fail "keda: nothing to scale by: give queues, load.serverAddress or triggers" -}}
{{- end -}}
{{- if and (eq (int $keda.minReplicas) 0) (not $keda.queues) -}}
{{- fail "keda.minReplicas is 0, but keda.queues is empty: nothing would wake the fleet, whose own metrics end with its last pod" -}}
{{- end -}}
{{- if and $keda.queues .Values.versioning.enabled (not .Values.versioning.buildId) -}}
{{- fail "versioning.buildId must be given: keda.queues asks for the backlog of one version, and KEDA does not know the hash of the application" -}}
{{- end -}}
{{- if and $keda.queues $temporal.tls.enabled (eq $temporal.auth.type "none") (not $keda.authenticationRef) -}}
{{- fail "keda.authenticationRef must be given: temporal.tls.enabled is true and temporal.auth.type is none, but KEDA's temporal scaler speaks TLS only with an API key or a client certificate (or scale by keda.load)" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Names that the pod has already. A map merged into another would be two keys of one name. */}}
{{- define "lua-fleet.validate.pod" -}}
{{- $own := include "lua-fleet.podLabels" . | fromYaml -}}
{{- range $path := list "commonLabels" "podLabels" -}}
{{- range $name, $_ := index $.Values $path -}}
{{- if hasPrefix "app.kubernetes.io/" $name -}}
{{- fail (printf "%s: %s is the chart's own: selectors are made of such labels; use nameOverride, or a label of yours" $path $name) -}}
{{- end -}}
{{- if and (eq $path "podLabels") (hasKey $.Values.commonLabels $name) -}}
{{- fail (printf "podLabels: %s is in commonLabels already" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.podAnnotations -}}
{{- if hasPrefix "checksum/" $name -}}
{{- fail (printf "podAnnotations: %s is the chart's own" $name) -}}
{{- end -}}
{{- end -}}
{{- $volumes := list -}}
{{- range include "lua-fleet.volumes" . | fromYamlArray -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- range $index, $volume := .Values.extraVolumes -}}
{{- if has $volume.name $volumes -}}
{{- fail (printf "extraVolumes[%d].name: %s is taken" $index $volume.name) -}}
{{- end -}}
{{- $volumes = append $volumes $volume.name -}}
{{- end -}}
{{- range $index, $mount := .Values.extraVolumeMounts -}}
{{- if not (has $mount.name $volumes) -}}
{{- fail (printf "extraVolumeMounts[%d].name: %s is no volume: add it to extraVolumes" $index $mount.name) -}}
{{- end -}}
{{- end -}}
{{- $containers := list "fleet" "application" -}}
{{- range $path := list "initContainers" "sidecars" -}}
{{- range $index, $container := index $.Values $path -}}
{{- if has $container.name $containers -}}
{{- fail (printf "%s[%d].name: %s is taken" $path $index $container.name) -}}
{{- end -}}
{{- $containers = append $containers $container.name -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Old versions go on beside new ones: nothing that they run from may change under them. */}}
{{- define "lua-fleet.validate.workerController" -}}
{{- $controller := .Values.versioning.workerController -}}
{{- if $controller.enabled -}}
{{- if not $controller.connection -}}
{{- fail "versioning.workerController.connection: versioning.workerController.enabled is true, so its Connection must be named" -}}
{{- end -}}
{{- if .Values.versioning.enabled -}}
{{- fail "versioning.enabled and versioning.workerController.enabled are both true: the controller gives versions their names" -}}
{{- end -}}
{{- if ne .Values.application.source "image" -}}
{{- fail (printf "application.source is %s, but versioning.workerController needs image: the pods of an old version would start with the new application" .Values.application.source) -}}
{{- end -}}
{{- range $path := list "autoscaling" "keda" -}}
{{- if (index $.Values $path).enabled -}}
{{- fail (printf "%s.enabled: each version has a Deployment of its own; scale them with a WorkerResourceTemplate of the controller" $path) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $controller.rollout.strategy "Progressive") (not $controller.rollout.steps) -}}
{{- fail "versioning.workerController.rollout.steps must be given: its strategy is Progressive" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "lua-fleet.validate.network" -}}
{{- $names := list "metrics" -}}
{{- $taken := list (int .Values.metrics.port) -}}
{{- range $index, $port := .Values.http.ports -}}
{{- if has $port.name $names -}}
{{- fail (printf "http.ports[%d].name: %s is taken" $index $port.name) -}}
{{- end -}}
{{- if has (int $port.containerPort) $taken -}}
{{- fail (printf "http.ports[%d].containerPort: %d is taken" $index (int $port.containerPort)) -}}
{{- end -}}
{{- $names = append $names $port.name -}}
{{- $taken = append $taken (int $port.containerPort) -}}
{{- end -}}
{{- $ingress := .Values.http.ingress -}}
{{- if and $ingress.enabled (not $ingress.hosts) -}}
{{- fail "http.ingress.hosts: http.ingress.enabled is true, so at least one host must be given" -}}
{{- end -}}
{{- if $ingress.enabled -}}
{{- range $h, $host := $ingress.hosts -}}
{{- range $p, $path := $host.paths -}}
{{- if not (has $path.port (rest $names)) -}}
{{- fail (printf "http.ingress.hosts[%d].paths[%d].port: %s is not a name of http.ports (%s)" $h $p $path.port (rest $names | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $metrics := .Values.metrics -}}
{{- range $path := list "serviceMonitor" "podMonitor" -}}
{{- $monitor := index $metrics $path -}}
{{- if and $monitor.enabled (gt (include "lua-fleet.milliseconds" $monitor.scrapeTimeout | int) (include "lua-fleet.milliseconds" $monitor.interval | int)) -}}
{{- fail (printf "metrics.%s.scrapeTimeout (%s) must not be longer than metrics.%s.interval (%s): Prometheus would refuse its configuration" $path $monitor.scrapeTimeout $path $monitor.interval) -}}
{{- end -}}
{{- end -}}
{{- if and $metrics.serviceMonitor.enabled (not $metrics.service.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled needs metrics.service.enabled: without a Service use metrics.podMonitor" -}}
{{- end -}}
{{- if and $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: everything would be counted twice" -}}
{{- end -}}
{{- end }}

{{/* Settings that are values of the chart. */}}
{{- define "lua-fleet.validate.settings" -}}
{{- $elsewhere := dict "workers" "fleet.workers" "pin" "fleet.cpuPinning" "worker_drain" "drain.workerSeconds" "fleet_drain" "drain.fleetSeconds" "termination_grace" "drain.terminationGracePeriodSeconds" "listen" "metrics.port" -}}
{{- range $name, $_ := .Values.fleet.settings -}}
{{- with get $elsewhere $name -}}
{{- fail (printf "fleet.settings.%s: use %s" $name .) -}}
{{- end -}}
{{- end -}}
{{- end }}
