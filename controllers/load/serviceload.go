package load

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// Fresh is how long a reading counts after it was taken. It outlives a few lost polls, so that a hiccup of the
// network does not move the autoscaler, and is shorter than the HPA controller's period of 15 s.
const Fresh = 10 * time.Second

// PodLoad is what is known of one gateway.
type PodLoad struct {
	UID  types.UID
	Name string
	// Terminating pods finish their streams, but do not count as capacity and take no new load.
	Terminating bool
	// ReadySince is when the pod became ready, by this process's clock as far as it saw that; zero while it is not.
	ReadySince time.Time
	// ReadyUntil is when the pod ceased to be ready, by this process's clock; zero if it was not seen to.
	ReadyUntil time.Time
	// Status is what the gateway's running container said last; zero before Seen is set.
	Status report.Status
	// Seen is when Status was read; zero while the running container could not be read yet.
	Seen time.Time
}

// Cut says that a replica ended and left streams without an end.
type Cut struct {
	Time time.Time
	Pod  string
	// PodCreated is when the pod was created.
	PodCreated time.Time
	Count      int64
	Reason     string
}

// ServiceLoad is what is known of the pods of one LLMService at one moment.
type ServiceLoad struct {
	Taken time.Time
	Pods  []PodLoad
	// LastCut is the latest loss of streams that this process saw; nil if it saw none lately.
	LastCut *Cut
}

// OfPod returns what is known of the pod with this UID.
func (s ServiceLoad) OfPod(uid types.UID) (PodLoad, bool) {
	for i := range s.Pods {
		if s.Pods[i].UID == uid {
			return s.Pods[i], true
		}
	}
	return PodLoad{}, false
}

// InFlight sums the requests in flight over the pods that are not terminating; false if no such pod has a fresh
// reading, which is not the same as no load.
//
// A pod that cannot be read must neither block scaling nor count as idle: it counts as the mean of the others. A pod
// that became ready only just now is merely not read yet, and counts nothing: counted as the mean, each replica
// that the autoscaler adds would ask for another.
func (s ServiceLoad) InFlight() (int64, bool) {
	sum, known, lost := s.count()
	if known == 0 {
		return 0, false
	}
	return sum + (sum*lost+known-1)/known, true
}

// InFlightOf is the requests in flight on one pod. One that cannot be read counts as the mean of the others, as in the
// sum that scaling goes by.
func (s ServiceLoad) InFlightOf(uid types.UID) int64 {
	if pod, ok := s.OfPod(uid); ok && s.fresh(pod.Seen) {
		return pod.Status.InFlight
	}
	sum, known, _ := s.count()
	if known == 0 {
		return 0
	}
	return (sum + known - 1) / known
}

// count sums the fresh readings of the pods that are not terminating. Known is how many there are, lost how many pods
// should have one and do not.
func (s ServiceLoad) count() (sum, known, lost int64) {
	for _, pod := range s.Pods {
		switch {
		case pod.Terminating:
		case s.fresh(pod.Seen):
			sum += pod.Status.InFlight
			known++
		case !pod.ReadySince.IsZero() && !s.fresh(pod.ReadySince):
			lost++
		}
	}
	return sum, known, lost
}

func (s ServiceLoad) fresh(t time.Time) bool { return !t.IsZero() && s.Taken.Sub(t) <= Fresh }
