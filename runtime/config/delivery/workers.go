package delivery

const (
	// WorkersVariable is the environment variable that, set to WorkersAuto, has a gateway take its number of workers from
	// the CPU quota of its control group, where there is one. It is no flag, which an older gateway would not start with.
	WorkersVariable = "LLMSERVICE_WORKERS"
	// WorkersAuto is its value.
	WorkersAuto = "Auto"
	// Fewer than two would let one heavy request hold up every other.
	minAutoWorkers = 2
	// More than the API's maximum would be refused if it were written down.
	maxAutoWorkers = 64
)

// AutoWorkers is how many workers a replica has that may use so many CPUs, rounded up.
func AutoWorkers(cpus int64) int64 { return max(minAutoWorkers, min(maxAutoWorkers, cpus)) }
