package load

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
)

var service = types.NamespacedName{Namespace: "team-a", Name: "assistant"}

func newTestTracker(leading <-chan struct{}) *Tracker {
	return NewTracker(Selection{
		Container: "gateway",
		Service: func(pod *corev1.Pod) (types.NamespacedName, bool) {
			return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Labels["service"]}, pod.Labels["service"] != ""
		},
	}, leading)
}

func gatewayPod(name string, state corev1.ContainerStatus) *corev1.Pod {
	state.Name = "gateway"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: name, UID: types.UID("uid-" + name),
			Labels: map[string]string{"service": service.Name},
		},
		Status: corev1.PodStatus{PodIP: "127.0.0.1", ContainerStatuses: []corev1.ContainerStatus{
			{Name: "sidecar", ContainerID: "other", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			state,
		}},
	}
}

func running(id string) corev1.ContainerStatus {
	return corev1.ContainerStatus{ContainerID: id, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

func terminated(end corev1.ContainerStateTerminated) corev1.ContainerStatus {
	return corev1.ContainerStatus{ContainerID: end.ContainerID, State: corev1.ContainerState{Terminated: &end}}
}

func restarted(id string, end corev1.ContainerStateTerminated) corev1.ContainerStatus {
	status := running(id)
	status.LastTerminationState.Terminated = &end
	return status
}

const lastWords = `{"version":"v1","streams":{"opened":9,"open":2,"done":5,"failed":1,"cancelled":1}}`

func TestStreamsCut(t *testing.T) {
	open := report.Status{Streams: report.Streams{Opened: 7, Open: 4, Done: 3}}
	tests := []struct {
		name   string
		polled report.Status
		// after is what the pod's object says next; nil means that the pod is gone.
		after []*corev1.Pod
		want  *Cut
	}{
		{
			name: "a gateway that ended every stream", polled: open,
			after: []*corev1.Pod{gatewayPod("a", terminated(corev1.ContainerStateTerminated{ContainerID: "1", Message: `{"version":"v1","streams":{"opened":7,"done":6,"cancelled":1}}`})), nil},
		},
		{
			name: "a gateway that ended every stream before its sidecar, which is killed later", polled: open,
			after: []*corev1.Pod{
				withSidecar(gatewayPod("a", terminated(corev1.ContainerStateTerminated{ContainerID: "1", Message: `{"version":"v1","streams":{"opened":7,"done":7}}`})), running("9")),
				withSidecar(gatewayPod("a", terminated(corev1.ContainerStateTerminated{ContainerID: "1", Message: `{"version":"v1","streams":{"opened":7,"done":7}}`})),
					terminated(corev1.ContainerStateTerminated{ContainerID: "9", ExitCode: 137})), nil,
			},
		},
		{
			name: "a sidecar that ends while the gateway serves", polled: open,
			after: []*corev1.Pod{withSidecar(gatewayPod("a", running("1")), terminated(corev1.ContainerStateTerminated{ContainerID: "9", ExitCode: 137}))},
		},
		{
			name: "a gateway that left streams open says so itself", polled: open,
			after: []*corev1.Pod{gatewayPod("a", terminated(corev1.ContainerStateTerminated{ContainerID: "1", Message: lastWords})), nil},
			want:  &Cut{Pod: "a", Count: 2, Reason: ReasonUnfinished},
		},
		{
			name: "killed at the end of its grace", polled: open,
			after: []*corev1.Pod{gatewayPod("a", terminated(corev1.ContainerStateTerminated{ContainerID: "1", ExitCode: 137, Message: lastWords}))},
			want:  &Cut{Pod: "a", Count: 4, Reason: ReasonKilled},
		},
		{
			name: "out of memory, seen after the restart", polled: open,
			after: []*corev1.Pod{gatewayPod("a", restarted("2", corev1.ContainerStateTerminated{ContainerID: "1", ExitCode: 137, Reason: "OOMKilled"}))},
			want:  &Cut{Pod: "a", Count: 4, Reason: ReasonOOMKilled},
		},
		{
			name: "a crash", polled: open,
			after: []*corev1.Pod{gatewayPod("a", restarted("2", corev1.ContainerStateTerminated{ContainerID: "1", ExitCode: 2, Reason: "Error"}))},
			want:  &Cut{Pod: "a", Count: 4, Reason: ReasonCrashed},
		},
		{
			name: "left in order without a readable last status", polled: open,
			after: []*corev1.Pod{gatewayPod("a", terminated(corev1.ContainerStateTerminated{ContainerID: "1", Message: `{"version":"v1","stre`}))},
			want:  &Cut{Pod: "a", Count: 4, Reason: ReasonUnfinished},
		},
		{
			name: "restarted twice between two updates", polled: open,
			after: []*corev1.Pod{gatewayPod("a", restarted("3", corev1.ContainerStateTerminated{ContainerID: "2", Message: lastWords}))},
			want:  &Cut{Pod: "a", Count: 4, Reason: ReasonLost},
		},
		{name: "gone without a word", polled: open, after: []*corev1.Pod{nil}, want: &Cut{Pod: "a", Count: 4, Reason: ReasonLost}},
		{name: "gone, but idle", after: []*corev1.Pod{nil}},
		{
			name: "one end counts once", polled: open,
			after: []*corev1.Pod{
				gatewayPod("a", restarted("2", corev1.ContainerStateTerminated{ContainerID: "1", ExitCode: 2})),
				gatewayPod("a", restarted("2", corev1.ContainerStateTerminated{ContainerID: "1", ExitCode: 2})), nil,
			},
			want: &Cut{Pod: "a", Count: 4, Reason: ReasonCrashed},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				streamsCutTotal.Reset()
				tracker := newTestTracker(nil)
				tracker.OnAdd(gatewayPod("a", running("1")), true)
				tracker.record("uid-a", tt.polled)
				notified := 0
				tracker.Subscribe(func(types.NamespacedName) { notified++ })
				last := gatewayPod("a", running("1"))
				for _, pod := range tt.after {
					if pod == nil {
						tracker.OnDelete(toolscache.DeletedFinalStateUnknown{Obj: last})
						continue
					}
					tracker.OnUpdate(last, pod)
					last = pod
				}
				want, wantNotified, wantTotal := tt.want, 0, 0.0
				if want != nil {
					want.Time = time.Now()
					wantNotified, wantTotal = 1, float64(want.Count)
				}
				if diff := cmp.Diff(want, tracker.LoadOf(service).LastCut); diff != "" {
					t.Errorf("LastCut (-want +got):\n%s", diff)
				}
				if notified != wantNotified {
					t.Errorf("notified %d times, want %d", notified, wantNotified)
				}
				if got := counted(); got != wantTotal {
					t.Errorf("llmservice_streams_cut_total = %v, want %v", got, wantTotal)
				}
			})
		})
	}
}

// withSidecar adds the status of a second container, before the gateway's.
func withSidecar(pod *corev1.Pod, status corev1.ContainerStatus) *corev1.Pod {
	status.Name = "proxy"
	pod.Status.ContainerStatuses = append([]corev1.ContainerStatus{status}, pod.Status.ContainerStatuses...)
	return pod
}

func counted() float64 {
	total := 0.0
	for _, reason := range []string{ReasonUnfinished, ReasonOOMKilled, ReasonKilled, ReasonCrashed, ReasonLost} {
		total += testutil.ToFloat64(streamsCutTotal.WithLabelValues(service.Namespace, service.Name, reason))
	}
	return total
}

// A manager that starts must not count again what ended before it came.
func TestAnEndBeforeTheFirstLookDoesNotCount(t *testing.T) {
	tracker := newTestTracker(nil)
	pod := gatewayPod("a", restarted("2", corev1.ContainerStateTerminated{ContainerID: "1", Message: lastWords}))
	tracker.OnAdd(pod, true)
	tracker.OnUpdate(pod, pod)
	if cut := tracker.LoadOf(service).LastCut; cut != nil {
		t.Errorf("LastCut = %v, want none", cut)
	}
}

func TestOnlyTheLeaderCounts(t *testing.T) {
	streamsCutTotal.Reset()
	leading := make(chan struct{})
	tracker := newTestTracker(leading)
	lose := func(name string) {
		tracker.OnAdd(gatewayPod(name, running(name)), false)
		tracker.record(types.UID("uid-"+name), report.Status{Streams: report.Streams{Open: 1}})
		tracker.OnDelete(gatewayPod(name, running(name)))
	}
	lose("before")
	if got := counted(); got != 0 {
		t.Errorf("counted %v before leading, want 0", got)
	}
	close(leading)
	lose("after")
	if got := counted(); got != 1 {
		t.Errorf("counted %v while leading, want 1", got)
	}
}

func TestCutsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := newTestTracker(nil)
		tracker.OnAdd(gatewayPod("a", running("1")), false)
		tracker.record("uid-a", report.Status{Streams: report.Streams{Open: 1}})
		tracker.OnDelete(gatewayPod("a", running("1")))
		time.Sleep(cutMemory)
		tracker.dropOldCuts()
		if len(tracker.cuts)+len(tracker.pods)+len(tracker.services) != 0 {
			t.Errorf("still remembered: cuts %v, pods %v, services %v", tracker.cuts, tracker.pods, tracker.services)
		}
	})
}

func TestNotifiesOnlyOfWhatIsActedUpon(t *testing.T) {
	base := report.Status{Version: "v1", Revision: "r1", Source: "current", Secrets: []report.SecretState{{}}}
	refused := report.RefusedKey{Upstream: "u", SecretFile: config.SecretFile{Secret: "s", Key: "k"}, Since: time.Unix(1, 0)}
	base.RefusedKeys = []report.RefusedKey{refused}
	refusal := func(change func(*report.RefusedKey)) func(*report.Status) {
		return func(s *report.Status) {
			other := refused
			change(&other)
			s.RefusedKeys = []report.RefusedKey{other}
		}
	}
	with := func(change func(*report.Status)) report.Status {
		status := base
		change(&status)
		return status
	}
	tests := []struct {
		name string
		next report.Status
		want int
	}{
		{name: "load", next: with(func(s *report.Status) { s.InFlight, s.Streams.Open, s.Streams.Opened = 9, 9, 9 })},
		{name: "revision", next: with(func(s *report.Status) { s.Revision = "r2" }), want: 1},
		{name: "source", next: with(func(s *report.Status) { s.Source = "lastGood" }), want: 1},
		{name: "rejection", next: with(func(s *report.Status) { s.Rejected = &report.RejectedConfig{Revision: "r2"} }), want: 1},
		{name: "draining", next: with(func(s *report.Status) { s.Draining = true }), want: 1},
		{name: "how many requests there may be", next: with(func(s *report.Status) { s.MaxInFlight = 100 }), want: 1},
		{name: "when a secret changed", next: with(func(s *report.Status) { s.Secrets = []report.SecretState{{Modified: time.Now(), Since: time.Now()}} })},
		{name: "a key that is accepted again", next: with(func(s *report.Status) { s.RefusedKeys = nil }), want: 1},
		{name: "another upstream's key", next: with(refusal(func(k *report.RefusedKey) { k.Upstream = "v" })), want: 1},
		{name: "another key", next: with(refusal(func(k *report.RefusedKey) { k.Key = "l" })), want: 1},
		{name: "another key by its place", next: with(refusal(func(k *report.RefusedKey) { k.Index = 1 })), want: 1},
		{name: "another upstream's key by its place", next: with(refusal(func(k *report.RefusedKey) { k.UpstreamIndex = 1 })), want: 1},
		{name: "another secret by its place", next: with(func(s *report.Status) { s.Secrets = []report.SecretState{{Index: 1}} }), want: 1},
		{name: "the next value of a key", next: with(refusal(func(k *report.RefusedKey) { k.Since = time.Unix(2, 0) })), want: 1},
		{name: "the same in another time zone", next: with(refusal(func(k *report.RefusedKey) { k.Since = k.Since.UTC() }))},
		{name: "secret", next: with(func(s *report.Status) { s.Secrets = []report.SecretState{{Loaded: true}} }), want: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tracker := newTestTracker(nil)
			tracker.OnAdd(gatewayPod("a", running("1")), false)
			tracker.record("uid-a", base)
			var got []types.NamespacedName
			tracker.Subscribe(func(name types.NamespacedName) { got = append(got, name) })
			tracker.record("uid-a", tt.next)
			tracker.record("uid-a", tt.next)
			if len(got) != tt.want || (tt.want > 0 && got[0] != service) {
				t.Errorf("notified of %v, want %d times %v", got, tt.want, service)
			}
		})
	}
}

func TestFollowsPods(t *testing.T) {
	tracker := newTestTracker(nil)
	foreign := gatewayPod("foreign", running("f"))
	foreign.Labels = nil
	tracker.OnAdd(foreign, true)
	tracker.OnAdd(gatewayPod("b", running("b")), true)
	tracker.OnAdd(gatewayPod("a", running("a")), true)
	done := gatewayPod("done", terminated(corev1.ContainerStateTerminated{ContainerID: "d"}))
	done.Status.Phase = corev1.PodFailed
	tracker.OnAdd(done, true)
	starting := gatewayPod("starting", corev1.ContainerStatus{})
	starting.Status.PodIP = ""
	tracker.OnAdd(starting, true)

	var names []string
	for _, pod := range tracker.LoadOf(service).Pods {
		names = append(names, pod.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "starting"}, names); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	if got := len(tracker.targets()); got != 2 {
		t.Errorf("%d pods to poll, want 2: those with an address that still run", got)
	}

	// A pod of the same name and another UID is another pod: nothing is carried over.
	tracker.record("uid-a", report.Status{Revision: "r1"})
	successor := gatewayPod("a", running("a2"))
	successor.UID = "uid-a2"
	tracker.OnUpdate(gatewayPod("a", running("a")), successor)
	if _, ok := tracker.LoadOf(service).OfPod("uid-a"); ok {
		t.Error("the old pod is still known")
	}
	if pod, ok := tracker.LoadOf(service).OfPod("uid-a2"); !ok || !pod.Seen.IsZero() || pod.Status.Revision != "" {
		t.Errorf("successor = %+v, %v; want known and unread", pod, ok)
	}
}

// What a dead container said must not be taken for what its successor serves.
func TestARestartForgetsTheReading(t *testing.T) {
	tracker := newTestTracker(nil)
	tracker.OnAdd(gatewayPod("a", running("1")), false)
	tracker.record("uid-a", report.Status{Revision: "r1"})
	tracker.OnUpdate(gatewayPod("a", running("1")), gatewayPod("a", restarted("2", corev1.ContainerStateTerminated{ContainerID: "1", ExitCode: 1})))
	if pod, _ := tracker.LoadOf(service).OfPod("uid-a"); pod.Status.Revision != "" || !pod.Seen.IsZero() {
		t.Errorf("pod = %+v, want unread", pod)
	}
}

// Times of other clocks are compared with none of ours.
func TestReadyByOurClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readyAt := func(name string, at time.Time) *corev1.Pod {
			pod := gatewayPod(name, running(name))
			pod.Status.Conditions = []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at)},
			}
			return pod
		}
		tracker := newTestTracker(nil)
		start := time.Now()
		hour := time.Hour
		ago := func(d time.Duration) time.Time { return start.Add(-d) }
		tracker.OnAdd(readyAt("there before", ago(hour)), true)
		tracker.OnAdd(readyAt("there before, ahead", ago(-hour)), true)
		for _, name := range []string{"ahead", "behind"} {
			tracker.OnAdd(gatewayPod(name, running(name)), false)
		}
		time.Sleep(time.Minute)
		seen := time.Now()
		tracker.OnUpdate(gatewayPod("ahead", running("ahead")), readyAt("ahead", ago(-hour)))
		tracker.OnUpdate(gatewayPod("behind", running("behind")), readyAt("behind", ago(hour)))
		time.Sleep(time.Minute)
		tracker.OnUpdate(readyAt("ahead", ago(-hour)), readyAt("ahead", ago(-2*hour)))
		want := map[string]time.Time{"there before": ago(hour), "there before, ahead": start, "ahead": seen, "behind": seen}
		got := map[string]time.Time{}
		for _, pod := range tracker.LoadOf(service).Pods {
			got[pod.Name] = pod.ReadySince
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ready since (-want +got):\n%s", diff)
		}
		tracker.OnUpdate(readyAt("ahead", ago(-2*hour)), gatewayPod("ahead", running("ahead")))
		unready := time.Now()
		time.Sleep(time.Minute)
		tracker.OnUpdate(gatewayPod("ahead", running("ahead")), gatewayPod("ahead", running("ahead")))
		if pod, _ := tracker.LoadOf(service).OfPod("uid-ahead"); !pod.ReadySince.IsZero() || !pod.ReadyUntil.Equal(unready) {
			t.Errorf("a pod that is not ready any more is since %v, and was until %v, want %v", pod.ReadySince, pod.ReadyUntil, unready)
		}
		tracker.OnUpdate(gatewayPod("ahead", running("ahead")), readyAt("ahead", ago(hour)))
		if pod, _ := tracker.LoadOf(service).OfPod("uid-ahead"); !pod.ReadyUntil.IsZero() {
			t.Errorf("a pod that is ready again was until %v", pod.ReadyUntil)
		}
	})
}
