package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// polling polls until the test ends, and returns how often all pods of the start were said to have been asked.
func polling(t *testing.T, tracker *Tracker, fetch fetchFunc) *atomic.Int64 {
	t.Helper()
	var heard atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		poll(ctx, tracker, fetch, func() { heard.Add(1) })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return &heard
}

func hang(ctx context.Context) (report.Status, error) {
	<-ctx.Done()
	return report.Status{}, ctx.Err()
}

func TestPollsEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		tracker.OnAdd(gatewayPod("a", running("1")), true)
		var polls atomic.Int64
		polling(t, tracker, func(context.Context, *corev1.Pod) (report.Status, error) {
			return report.Status{InFlight: polls.Add(1)}, nil
		})
		time.Sleep(3*interval + interval/2)
		if got, ok := tracker.LoadOf(service).InFlight(); got != 4 || !ok {
			t.Errorf("InFlight() = %d, %v; want the value of the fourth poll", got, ok)
		}
	})
}

// Pods that hang, however many and since when, make no reading of another old.
func TestPodsThatHangDelayNobody(t *testing.T) {
	const oldest = 2 * time.Second
	// settled is how long after it hung a pod may still have an old reading.
	const settled = 3*time.Second + maxPause
	tests := []struct {
		name string
		pods int
		// hangs reports whether a pod hangs after a time.
		hangs func(i int, after time.Duration) bool
	}{
		{"from the start", 4000, func(i int, _ time.Duration) bool { return i%10 == 0 }},
		{"from a moment on, all at once", 4000, func(i int, after time.Duration) bool { return i%10 == 0 && after > 4*time.Second }},
		{"now and then", 1000, func(i int, after time.Duration) bool { return i%20 == int(after/(3*time.Second)) }},
		{"half of them", 1000, func(i int, _ time.Duration) bool { return i%2 == 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tracker := newTestTracker(nil)
				for i := range tt.pods {
					tracker.OnAdd(gatewayPod(strconv.Itoa(i), running("1")), true)
				}
				began := time.Now()
				polling(t, tracker, func(ctx context.Context, pod *corev1.Pod) (report.Status, error) {
					i, _ := strconv.Atoi(pod.Name)
					if tt.hangs(i, time.Since(began)) {
						return hang(ctx)
					}
					time.Sleep(10 * time.Millisecond) // so that a slot is good for a hundred polls a second
					return report.Status{}, nil
				})
				hung := map[string]time.Time{}
				for range 32 {
					time.Sleep(250 * time.Millisecond)
					synctest.Wait()
					for _, pod := range tracker.LoadOf(service).Pods {
						i, _ := strconv.Atoi(pod.Name)
						if tt.hangs(i, time.Since(began)) {
							hung[pod.Name] = time.Now()
						}
						last, ever := hung[pod.Name]
						if age := time.Since(pod.Seen); age > oldest && time.Since(began) > oldest && (!ever || time.Since(last) > settled) {
							t.Fatalf("after %v, pod %s was read %v ago", time.Since(began), pod.Name, age)
						}
					}
				}
			})
		})
	}
}

// What fails is asked less and less often, and soon again once it starts anew.
func TestPodsThatFailAreAskedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		pod := gatewayPod("a", running("1"))
		tracker.OnAdd(pod, true)
		began := time.Now()
		var asked []float64
		polling(t, tracker, func(context.Context, *corev1.Pod) (report.Status, error) {
			asked = append(asked, math.Floor(time.Since(began).Seconds()))
			return report.Status{}, errors.New("connection refused")
		})
		time.Sleep(14 * time.Second)
		next := pod.DeepCopy()
		next.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		tracker.OnUpdate(pod, next)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if diff := cmp.Diff([]float64{0, 1, 3, 7, 12, 14}, asked); diff != "" {
			t.Errorf("asked after so many seconds (-want +got):\n%s", diff)
		}
	})
}

// A gateway that is slow and answers is read every second, too.
func TestSlowPodsAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		tracker.OnAdd(gatewayPod("a", running("1")), true)
		polling(t, tracker, func(ctx context.Context, _ *corev1.Pod) (report.Status, error) {
			select {
			case <-time.After(600 * time.Millisecond):
				return report.Status{}, nil
			case <-ctx.Done():
				return report.Status{}, ctx.Err()
			}
		})
		for range 40 {
			time.Sleep(250 * time.Millisecond)
			pod, _ := tracker.LoadOf(service).OfPod("uid-a")
			if time.Since(pod.Seen) > 2*time.Second && time.Since(pod.Seen) < time.Hour {
				t.Fatalf("read %v ago", time.Since(pod.Seen))
			}
		}
		if pod, _ := tracker.LoadOf(service).OfPod("uid-a"); pod.Seen.IsZero() {
			t.Error("never read")
		}
	})
}

// Whoever acts on what gateways say waits for all that there were, and not for one that hangs or is gone.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		for _, name := range []string{"hangs", "gone", "answers"} {
			tracker.OnAdd(gatewayPod(name, running("1")), true)
		}
		heard := polling(t, tracker, func(ctx context.Context, pod *corev1.Pod) (report.Status, error) {
			switch pod.Name {
			case "hangs":
				return hang(ctx)
			case "gone":
				time.Sleep(time.Hour)
			}
			return report.Status{}, nil
		})
		time.Sleep(quickLane.timeout + slowLane.timeout + 10*step)
		if heard.Load() != 0 {
			t.Error("heard of all before one was asked")
		}
		tracker.OnDelete(gatewayPod("gone", running("1")))
		time.Sleep(2 * step)
		synctest.Wait()
		if heard.Load() == 0 {
			t.Error("still waiting for a pod that is gone")
		}
		time.Sleep(time.Hour)
	})
}

func TestBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		for i := range 4 * quickLane.slots {
			tracker.OnAdd(gatewayPod(fmt.Sprint(i), running("1")), true)
		}
		var now, most atomic.Int64
		polling(t, tracker, func(ctx context.Context, _ *corev1.Pod) (report.Status, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			return hang(ctx)
		})
		time.Sleep(30 * time.Second)
		if got, want := most.Load(), int64(quickLane.slots+slowLane.slots); got > want {
			t.Errorf("%d polls at once, want at most %d", got, want)
		}
	})
}

func TestAFailedPollKeepsTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		tracker.OnAdd(gatewayPod("a", running("1")), true)
		tracker.record("uid-a", report.Status{Revision: "r1"})
		tracker.Subscribe(func(types.NamespacedName) { t.Error("notified of a failed poll") })
		polling(t, tracker, func(context.Context, *corev1.Pod) (report.Status, error) {
			return report.Status{}, errors.New("connection refused")
		})
		time.Sleep(time.Minute)
		if pod, _ := tracker.LoadOf(service).OfPod("uid-a"); pod.Status.Revision != "r1" {
			t.Errorf("revision = %q, want the one read last", pod.Status.Revision)
		}
	})
}
