package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/runtime/config"
)

func TestPollsEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		tracker.OnAdd(gatewayPod("a", running("1")), true)
		var polls atomic.Int64
		rounds := 0
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			poll(ctx, tracker, func(context.Context, *corev1.Pod) (config.Status, error) {
				return config.Status{InFlight: polls.Add(1)}, nil
			}, func() { rounds++ })
		}()
		time.Sleep(3*interval + interval/2)
		if got, ok := tracker.Snapshot(service).InFlight(); got != 4 || !ok {
			t.Errorf("InFlight() = %d, %v; want the value of the fourth poll", got, ok)
		}
		cancel()
		<-done
		if rounds != 4 {
			t.Errorf("told of %d rounds, want 4", rounds)
		}
	})
}

// A pod that hangs is given up within the interval: the others are read every second all the same.
func TestAHangingPodDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		for i := range 10 {
			tracker.OnAdd(gatewayPod(fmt.Sprintf("ok-%d", i), running("1")), true)
			tracker.OnAdd(gatewayPod(fmt.Sprintf("hangs-%d", i), running("1")), true)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			poll(ctx, tracker, func(ctx context.Context, pod *corev1.Pod) (config.Status, error) {
				if pod.Name[:2] == "ok" {
					return config.Status{InFlight: 1}, nil
				}
				<-ctx.Done()
				return config.Status{}, ctx.Err()
			}, func() {})
		}()
		for range 5 {
			time.Sleep(interval)
			synctest.Wait()
			for _, pod := range tracker.Snapshot(service).Pods {
				if pod.Name[:2] == "ok" && time.Since(pod.Seen) > interval {
					t.Fatalf("%s was read %v ago", pod.Name, time.Since(pod.Seen))
				}
			}
		}
		cancel()
		<-done
	})
}

func TestBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		for i := range 3 * concurrency {
			tracker.OnAdd(gatewayPod(fmt.Sprint(i), running("1")), true)
		}
		var now, most atomic.Int64
		pollAll(t.Context(), tracker, func(context.Context, *corev1.Pod) (config.Status, error) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Millisecond)
			now.Add(-1)
			return config.Status{}, nil
		})
		if got := most.Load(); got > concurrency {
			t.Errorf("%d polls at once, want at most %d", got, concurrency)
		}
	})
}

func TestAFailedPollKeepsTheReading(t *testing.T) {
	tracker := newTestTracker(nil)
	tracker.OnAdd(gatewayPod("a", running("1")), true)
	tracker.record("uid-a", config.Status{Revision: "r1"})
	tracker.Subscribe(func(types.NamespacedName) { t.Error("notified of a failed poll") })
	pollAll(t.Context(), tracker, func(context.Context, *corev1.Pod) (config.Status, error) {
		return config.Status{}, errors.New("connection refused")
	})
	if pod, _ := tracker.Snapshot(service).Pod("uid-a"); pod.Status.Revision != "r1" {
		t.Errorf("revision = %q, want the one read last", pod.Status.Revision)
	}
}
