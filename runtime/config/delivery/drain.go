package delivery

import "time"

// Every figure of a drain follows from one number, a stream's maximal duration.
const (
	// DrainDelay is how long a replica that was told to stop still accepts connections: the time in which the
	// change of its endpoint reaches everything that routes to it.
	DrainDelay = 5 * time.Second
	// drainSlack is left, after the last stream has been ended, for its last words and the process's own end.
	drainSlack = 15 * time.Second
)

// GracePeriod is how long a replica may take from SIGTERM to its end.
func GracePeriod(maxStreamDuration time.Duration) time.Duration {
	return DrainDelay + maxStreamDuration + drainSlack
}
