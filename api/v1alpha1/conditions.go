package v1alpha1

// The types of a service's conditions.
const (
	// ConditionReady is True if the service serves the spec: it summarizes the others.
	ConditionReady = "Ready"
	// ConditionConfigValid is True if the spec can be served. If it is False, its message names the fields, and the
	// gateways keep serving the last valid configuration.
	ConditionConfigValid = "ConfigValid"
	// ConditionConfigApplied is True if every live replica serves the last valid configuration.
	ConditionConfigApplied = "ConfigApplied"
	// ConditionAvailable is True if enough replicas accept requests.
	ConditionAvailable = "Available"
	// ConditionScaling is True if a HorizontalPodAutoscaler can do its work.
	ConditionScaling = "Scaling"
	// ConditionRouteAccepted is present if an HTTPRoute is wanted, and True if all its parents accept it.
	ConditionRouteAccepted = "RouteAccepted"
	// ConditionPaused is present and True while spec.paused is true.
	ConditionPaused = "Paused"
	// ConditionRolloutHeld is present and True while the operator itself, and not the spec, asks for other pods, and the service keeps
	// those that it has because others go first. The service serves the spec.
	ConditionRolloutHeld = "RolloutHeld"
	// ConditionReconciling is present and True while the operator is still working (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True if the operator cannot continue without help (kstatus).
	ConditionStalled = "Stalled"
)

// The reasons of ConditionReady.
const (
	// ReasonReady: the service serves the spec.
	ReasonReady = "Ready"
	// ReasonProgressing: the service does not serve the spec yet.
	ReasonProgressing = "Progressing"
)

// ReasonPaused is the reason of ConditionPaused, and of each other condition that is not as it would be because the operator
// leaves a change undone.
const ReasonPaused = "Paused"

// The reasons of ConditionRolloutHeld.
const (
	// ReasonWaitingForTurn: other services replace their pods first.
	ReasonWaitingForTurn = "WaitingForTurn"
	// ReasonRolloutFailed: the pods of a service that went first do not become available; nothing goes on until that is repaired.
	ReasonRolloutFailed = "RolloutFailed"
)

// The reasons of ConditionConfigValid; False ones are Stalled's too.
const (
	// ReasonValid: the spec can be served.
	ReasonValid = "Valid"
	// ReasonInvalid: the spec has fields that cannot be served; the message names them.
	ReasonInvalid = "Invalid"
	// ReasonNotAllowed: the spec names a host of an upstream, or an image, that the operator's flags do not allow; the message names
	// the fields.
	ReasonNotAllowed = "NotAllowed"
	// ReasonTooLarge: the spec is larger than a ConfigMap can carry.
	ReasonTooLarge = "TooLarge"
	// ReasonTooSlow: the spec takes longer to compile than the operator allows.
	ReasonTooSlow = "TooSlow"
	// ReasonCompileDied: the operator ended while it compiled this spec, twice, and does not try again before it changes.
	ReasonCompileDied = "CompileDied"
)

// The reasons of ConditionConfigApplied.
const (
	// ReasonAcknowledged: every live replica serves the last valid configuration.
	ReasonAcknowledged = "Acknowledged"
	// ReasonPending: at least one replica has not acknowledged the last valid configuration yet.
	ReasonPending = "Pending"
	// ReasonRejected: at least one replica cannot serve the last valid configuration; the message says why.
	ReasonRejected = "Rejected"
	// ReasonNoConfig: there has been no valid configuration yet.
	ReasonNoConfig = "NoConfig"
	// ReasonSecretMissing: at least one replica lacks a Secret, or a key in it, that the configuration names.
	ReasonSecretMissing = "SecretMissing"
	// ReasonKeyRefused: an upstream refuses the key that a replica sends, and has not accepted it since.
	ReasonKeyRefused = "KeyRefused"
)

// The reasons of ConditionRouteAccepted, in addition to ReasonPending: a parent has not reported yet.
const (
	// ReasonAccepted: every parent accepts the HTTPRoute.
	ReasonAccepted = "Accepted"
	// ReasonNotAccepted: at least one parent refuses the HTTPRoute; the message has its own words.
	ReasonNotAccepted = "NotAccepted"
	// ReasonKindUnavailable: the cluster has no HTTPRoutes, or the operator may not read them.
	ReasonKindUnavailable = "KindUnavailable"
)

// The reasons of ConditionAvailable. Those that say why a replica cannot run are Ready's too, while replicas are replaced.
const (
	// ReasonAvailable: enough replicas accept requests.
	ReasonAvailable = "Available"
	// ReasonUnavailable: too few replicas accept requests.
	ReasonUnavailable = "Unavailable"
	// ReasonQuotaExceeded: a ResourceQuota keeps replicas from being created; the message has the API server's words.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonCreationRefused: a policy or something else keeps replicas from being created; the message has its words.
	ReasonCreationRefused = "CreationRefused"
	// ReasonUnschedulable: no node has room for a replica; the message has the scheduler's words.
	ReasonUnschedulable = "Unschedulable"
	// ReasonImagePullFailed: an image of a replica cannot be pulled; the message has the kubelet's words.
	ReasonImagePullFailed = "ImagePullFailed"
	// ReasonContainerFailed: a container of a replica cannot be started, or ended; the message says which.
	ReasonContainerFailed = "ContainerFailed"
	// ReasonScaledToZero: no replicas are wanted.
	ReasonScaledToZero = "ScaledToZero"
	// ReasonDeadlineExceeded: the Deployment made no progress for too long.
	ReasonDeadlineExceeded = "DeadlineExceeded"
)

// The reasons of ConditionScaling, in addition to those of the HorizontalPodAutoscaler's own conditions.
const (
	// ReasonManual: spec.scaling is absent, and replicas stays as it was written.
	ReasonManual = "Manual"
	// ReasonActive: the HorizontalPodAutoscaler reads its metrics and scales.
	ReasonActive = "Active"
	// ReasonMetricsAPIUnavailable: another adapter serves custom.metrics.k8s.io, or no server does.
	ReasonMetricsAPIUnavailable = "MetricsAPIUnavailable"
	// ReasonMetricUnreadable: the HorizontalPodAutoscaler cannot read some of its metrics; it never scales down.
	ReasonMetricUnreadable = "MetricUnreadable"
	// ReasonTargetOutOfReach: a metric can never exceed its target so far that replicas are added; the message names its field.
	ReasonTargetOutOfReach = "TargetOutOfReach"
	// ReasonCPURequestMissing: a CPU metric is in percent of the CPU request, and a replica has none.
	ReasonCPURequestMissing = "CPURequestMissing"
)

// The reasons of ConditionStalled, in addition to those of a ConditionConfigValid that is False.
const (
	// ReasonApplyFailed: the API server refused a child.
	ReasonApplyFailed = "ApplyFailed"
	// ReasonChildConflict: an object that does not belong to this service has the name of a child; it is left alone.
	ReasonChildConflict = "ChildConflict"
	// ReasonOverridden: admission gave a child, or the pods, something else than the service needs; the message names the fields,
	// what was wanted and what was given.
	ReasonOverridden = "Overridden"
)
