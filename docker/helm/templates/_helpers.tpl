{{- define "tidegate.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What is amiss in the values, said before anything is made. */}}
{{- define "tidegate.check" -}}
{{- if not (has .Values.engine (list "embedded" "seaweedmq")) -}}
{{- fail (printf "engine is embedded or seaweedmq, not %q" .Values.engine) -}}
{{- end -}}
{{- if and (eq .Values.engine "seaweedmq") (not .Values.seaweedmq.masters) -}}
{{- fail "engine=seaweedmq needs seaweedmq.masters, a list of HOST:PORT" -}}
{{- end -}}
{{- $pods := ternary (int .Values.seaweedmq.gateways) 1 (eq .Values.engine "seaweedmq") -}}
{{- if and .Values.advertised (ne (len .Values.advertised) $pods) -}}
{{- fail (printf "advertised names %d addresses, for %d gateways" (len .Values.advertised) $pods) -}}
{{- end -}}
{{- end -}}

{{/* The pod of one gateway: a dict of root, service, index and nodeId. */}}
{{- define "tidegate.pod" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
metadata:
  labels:
    {{- include "tidegate.selector" $root | nindent 4 }}
    tidegate/gateway: {{ .service | quote }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Another file of settings is another pod.
    checksum/settings: {{ include (print $root.Template.BasePath "/configmap.yaml") $root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  # A Service called tidegate would have Kubernetes set TIDEGATE_PORT and others, which are no settings.
  enableServiceLinks: false
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: tidegate
      image: "{{ $values.image.repository }}:{{ $values.image.tag | default $root.Chart.AppVersion }}"
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [serve, --config, /etc/tidegate/server.properties]
      env:
        - name: TIDEGATE_NODE_ID
          value: {{ .nodeId | quote }}
        - name: TIDEGATE_ADVERTISED_LISTENERS
          {{- if $values.advertised }}
          value: {{ printf "PLAINTEXT://%s" (index $values.advertised .index) | quote }}
          {{- else }}
          value: {{ printf "PLAINTEXT://%s.%s.svc:%d" .service $root.Release.Namespace (int $values.service.port) | quote }}
          {{- end }}
      {{- with $values.settingsSecret }}
      envFrom:
        - secretRef:
            name: {{ . }}
      {{- end }}
      ports:
        - name: kafka
          containerPort: 9092
        - name: admin
          containerPort: 9644
      # A log may take its time to recover; /livez answers meanwhile.
      livenessProbe:
        httpGet:
          path: /livez
          port: admin
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: /readyz
          port: admin
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 1
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        - name: settings
          mountPath: /etc/tidegate
          readOnly: true
        - name: data
          mountPath: /data
  volumes:
    - name: settings
      configMap:
        name: {{ include "tidegate.name" $root }}
    {{- if eq $values.engine "seaweedmq" }}
    - name: data
      emptyDir: {}
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
