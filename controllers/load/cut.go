package load

import (
	"github.com/go-json-experiment/json"
	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// Why streams were cut.
const (
	// ReasonUnfinished says that the gateway left in order but with streams open.
	ReasonUnfinished = "Unfinished"
	// ReasonOOMKilled says that the kernel killed the gateway for its memory limit.
	ReasonOOMKilled = "OOMKilled"
	// ReasonKilled says that the gateway was killed, for example at the end of its grace period.
	ReasonKilled = "Killed"
	// ReasonCrashed says that the gateway ended with an error of its own.
	ReasonCrashed = "Crashed"
	// ReasonLost says that the pod vanished without a last status, for example with its node.
	ReasonLost = "Lost"
)

const exitKilled = 128 + 9

// streamsCut counts the streams that a container had open and never ended. A gateway that leaves in order writes a
// last status; of any other, the streams open at the last poll are the best that is known.
func streamsCut(end *corev1.ContainerStateTerminated, polled report.Status) (int64, string) {
	if end == nil {
		return polled.Streams.Open, ReasonLost
	}
	if last, ok := lastWord(end); ok {
		s := last.Streams
		return max(0, s.Opened-s.Done-s.Failed-s.Cancelled), ReasonUnfinished
	}
	return polled.Streams.Open, endReason(end)
}

func lastWord(end *corev1.ContainerStateTerminated) (report.Status, bool) {
	var last report.Status
	if end.ExitCode != 0 || end.Message == "" {
		return last, false
	}
	err := json.Unmarshal([]byte(end.Message), &last)
	return last, err == nil && last.Version != ""
}

func endReason(end *corev1.ContainerStateTerminated) string {
	switch {
	case end.Reason == "OOMKilled":
		return ReasonOOMKilled
	case end.ExitCode == exitKilled:
		return ReasonKilled
	case end.ExitCode != 0:
		return ReasonCrashed
	default:
		return ReasonUnfinished
	}
}
