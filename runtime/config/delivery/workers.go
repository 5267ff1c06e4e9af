package delivery

const (
	// WorkersVariable is the environment variable that, set to WorkersAuto, has a gateway take its number of workers from
	// the CPU quota of its control group, if there is one. It is not a flag, because an older gateway would not start with it.
	WorkersVariable = "LLMSERVICE_WORKERS"
	// WorkersAuto is its value.
	WorkersAuto = "Auto"
	// EngineVariable is the environment variable that sets a gateway's flag --engine. A podTemplate may have it, and
	// UpstreamClientVariable: whoever has trouble with one need not wait for a release.
	EngineVariable = "LLMSERVICE_ENGINE"
	// UpstreamClientVariable is the one that sets --upstream-client.
	UpstreamClientVariable = "LLMSERVICE_UPSTREAM_CLIENT"
	// Fewer than two would let one heavy request hold up every other.
	minAutoWorkers = 2
	// More than the API's maximum would be refused if it were written down.
	maxAutoWorkers = 64
)

// AutoWorkers is the number of workers of a replica that may use that many CPUs, rounded up.
func AutoWorkers(cpus int64) int64 { return max(minAutoWorkers, min(maxAutoWorkers, cpus)) }
