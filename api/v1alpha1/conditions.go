package v1alpha1

// The types of a service's conditions.
const (
	// ConditionReady is True where the service serves the spec: the sum of the others.
	ConditionReady = "Ready"
	// ConditionConfigValid is True where the spec can be served. Where it is False, its message names the fields, and
	// the last valid configuration is served on.
	ConditionConfigValid = "ConfigValid"
	// ConditionConfigApplied is True where every live replica serves the last valid configuration.
	ConditionConfigApplied = "ConfigApplied"
	// ConditionAvailable is True where enough replicas take requests.
	ConditionAvailable = "Available"
	// ConditionScaling is True where a HorizontalPodAutoscaler can do its work.
	ConditionScaling = "Scaling"
	// ConditionReconciling is present and True while the operator is on its way (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True where the operator cannot go on without help (kstatus).
	ConditionStalled = "Stalled"
)

// The reasons of ConditionReady.
const (
	// ReasonReady: the service serves the spec.
	ReasonReady = "Ready"
	// ReasonProgressing: the service does not serve the spec yet.
	ReasonProgressing = "Progressing"
)

// The reasons of ConditionConfigValid; False ones are Stalled's too.
const (
	// ReasonValid: the spec can be served.
	ReasonValid = "Valid"
	// ReasonInvalid: the spec has fields that cannot be served; the message names them.
	ReasonInvalid = "Invalid"
	// ReasonTooLarge: the spec is larger than a ConfigMap can carry.
	ReasonTooLarge = "TooLarge"
	// ReasonTooSlow: the spec takes longer to compile than the operator gives it.
	ReasonTooSlow = "TooSlow"
	// ReasonCompileDied: the operator ended while it compiled this spec, twice, and does not try it again before it is changed.
	ReasonCompileDied = "CompileDied"
)

// The reasons of ConditionConfigApplied.
const (
	// ReasonAcknowledged: every live replica serves the last valid configuration.
	ReasonAcknowledged = "Acknowledged"
	// ReasonPending: some replica has not acknowledged the last valid configuration yet.
	ReasonPending = "Pending"
	// ReasonRejected: some replica cannot serve the last valid configuration, and says why.
	ReasonRejected = "Rejected"
	// ReasonNoConfig: there has been no valid configuration yet.
	ReasonNoConfig = "NoConfig"
	// ReasonSecretMissing: some replica lacks a Secret, or the key of one, that the configuration names.
	ReasonSecretMissing = "SecretMissing"
	// ReasonKeyRefused: some replica has an upstream that refuses the key that it is sent, and has not accepted it since.
	ReasonKeyRefused = "KeyRefused"
)

// The reasons of ConditionAvailable.
const (
	// ReasonAvailable: enough replicas take requests.
	ReasonAvailable = "Available"
	// ReasonUnavailable: too few replicas take requests.
	ReasonUnavailable = "Unavailable"
	// ReasonScaledToZero: no replicas are wanted.
	ReasonScaledToZero = "ScaledToZero"
	// ReasonDeadlineExceeded: the Deployment made no progress for too long.
	ReasonDeadlineExceeded = "DeadlineExceeded"
)

// The reasons of ConditionScaling, beside those of the HorizontalPodAutoscaler's own conditions.
const (
	// ReasonManual: spec.scaling is absent, and replicas stays as it was written.
	ReasonManual = "Manual"
	// ReasonActive: the HorizontalPodAutoscaler reads its metrics and scales.
	ReasonActive = "Active"
	// ReasonMetricsAPIUnavailable: another adapter serves custom.metrics.k8s.io, or nobody does.
	ReasonMetricsAPIUnavailable = "MetricsAPIUnavailable"
	// ReasonMetricUnreadable: the HorizontalPodAutoscaler reads some of its metrics and not others; it never scales down.
	ReasonMetricUnreadable = "MetricUnreadable"
	// ReasonTargetOutOfReach: a metric can never be so far above its target that replicas are added; the message names its field.
	ReasonTargetOutOfReach = "TargetOutOfReach"
	// ReasonCPURequestMissing: a CPU metric is in percent of the CPU request, and a replica has none.
	ReasonCPURequestMissing = "CPURequestMissing"
)

// The reasons of ConditionStalled, beside those of a ConditionConfigValid that is False.
const (
	// ReasonApplyFailed: the API server refused a child.
	ReasonApplyFailed = "ApplyFailed"
	// ReasonChildConflict: the name of a child is taken by an object that is not this service's, and that stays as it is.
	ReasonChildConflict = "ChildConflict"
	// ReasonOverridden: admission gave a child, or the pods, something else than the service needs; the message names the fields,
	// what was wanted and what was given.
	ReasonOverridden = "Overridden"
)
