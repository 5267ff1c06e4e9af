package load

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/runtime/config/report"
)

func TestInFlight(t *testing.T) {
	now := time.Now()
	read := func(inFlight int64, age time.Duration) PodLoad {
		return PodLoad{ReadySince: now.Add(-time.Hour), Seen: now.Add(-age), Status: report.Status{InFlight: inFlight}}
	}
	unread := func(readyFor time.Duration) PodLoad { return PodLoad{ReadySince: now.Add(-readyFor)} }
	terminating := func(p PodLoad) PodLoad {
		p.Terminating = true
		return p
	}
	tests := []struct {
		name  string
		pods  []PodLoad
		want  int64
		known bool
	}{
		{name: "no pods"},
		{name: "sum", pods: []PodLoad{read(3, 0), read(4, time.Second)}, want: 7, known: true},
		{name: "idle is not unknown", pods: []PodLoad{read(0, 0)}, want: 0, known: true},
		{name: "a lost poll does not matter yet", pods: []PodLoad{read(3, 0), read(4, Fresh)}, want: 7, known: true},
		{name: "an old reading counts as the mean of the others", pods: []PodLoad{read(10, 0), read(20, 0), read(900, 2*Fresh)}, want: 45, known: true},
		{name: "the mean is rounded up", pods: []PodLoad{read(1, 0), read(0, 0), unread(time.Hour)}, want: 2, known: true},
		{name: "a pod that just became ready adds nothing", pods: []PodLoad{read(200, 0), unread(time.Second), unread(0)}, want: 200, known: true},
		{name: "a pod that is not ready adds nothing", pods: []PodLoad{read(200, 0), {}}, want: 200, known: true},
		{name: "a terminating pod is no load", pods: []PodLoad{read(5, 0), terminating(read(70, 0))}, want: 5, known: true},
		{name: "only terminating pods", pods: []PodLoad{terminating(read(70, 0))}},
		{name: "none could be read", pods: []PodLoad{unread(time.Hour), read(9, 2*Fresh)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, known := ServiceLoad{Taken: now, Pods: tt.pods}.InFlight()
			if got != tt.want || known != tt.known {
				t.Errorf("InFlight() = %d, %v; want %d, %v", got, known, tt.want, tt.known)
			}
		})
	}
}

// One that cannot be read must neither go first nor stay for ever.
func TestInFlightOf(t *testing.T) {
	now := time.Now()
	pod := func(uid string, inFlight int64, seen time.Time) PodLoad {
		return PodLoad{UID: types.UID(uid), ReadySince: now.Add(-time.Hour), Seen: seen, Status: report.Status{InFlight: inFlight}}
	}
	s := ServiceLoad{Taken: now, Pods: []PodLoad{pod("idle", 0, now), pod("busy", 5, now), pod("stale", 100, now.Add(-Fresh-1)), pod("unread", 0, time.Time{})}}
	for uid, want := range map[types.UID]int64{"idle": 0, "busy": 5, "stale": 3, "unread": 3, "unknown": 3} {
		if got := s.InFlightOf(uid); got != want {
			t.Errorf("InFlightOf(%s) = %d, want %d", uid, got, want)
		}
	}
	if got := (ServiceLoad{Taken: now}).InFlightOf("any"); got != 0 {
		t.Errorf("of a service that nothing is known of: %d, want 0", got)
	}
}
