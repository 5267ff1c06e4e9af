package load

import (
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// cutMemory is how long a cut is offered to the reconciler, which is notified at once.
const cutMemory = 10 * time.Minute

// Selection selects the pods that are gateways, and finds their service.
type Selection struct {
	// Service returns the LLMService that a pod belongs to, and false for any other pod.
	Service func(*corev1.Pod) (types.NamespacedName, bool)
	// Container is the name of the gateway's container.
	Container string
}

// Tracker remembers the gateways of all services. It is safe for concurrent use.
type Tracker struct {
	selection Selection
	counter   *cutCounter

	mu       sync.Mutex
	pods     map[types.UID]*tracked
	services map[types.NamespacedName]map[types.UID]*tracked
	cuts     map[types.NamespacedName]Cut
	notify   func(types.NamespacedName)
}

type tracked struct {
	service types.NamespacedName
	pod     *corev1.Pod
	// container is the ID of the container that status is about; empty while none runs.
	container string
	status    report.Status
	seen      time.Time
	// ready is when the pod became ready by this process's clock; zero while it is not.
	ready time.Time
	// unready is when it ceased to be; zero if it did not.
	unready time.Time
}

// NewTracker returns a Tracker of the selected pods. It counts cuts once leading is closed, so that of several
// manager replicas one counts; nil means at once.
func NewTracker(selection Selection, leading <-chan struct{}) *Tracker {
	return &Tracker{
		selection: selection,
		counter:   &cutCounter{leading: leading},
		pods:      map[types.UID]*tracked{},
		services:  map[types.NamespacedName]map[types.UID]*tracked{},
		cuts:      map[types.NamespacedName]Cut{},
		notify:    func(types.NamespacedName) {},
	}
}

// Subscribe has notify called, without a lock held, whenever something about a service changed that a reconciler acts
// upon: a revision, a rejection, a secret's state, draining, or a cut. Load figures change without it.
func (t *Tracker) Subscribe(notify func(types.NamespacedName)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.notify = notify
}

// LoadOf returns what is known of a service's pods, sorted by name.
func (t *Tracker) LoadOf(service types.NamespacedName) ServiceLoad {
	t.mu.Lock()
	defer t.mu.Unlock()
	load := ServiceLoad{Taken: time.Now()}
	for _, known := range t.services[service] {
		if !finished(known.pod) {
			load.Pods = append(load.Pods, known.describe())
		}
	}
	slices.SortFunc(load.Pods, func(a, b PodLoad) int { return strings.Compare(a.Name, b.Name) })
	if cut, ok := t.cuts[service]; ok && load.Taken.Sub(cut.Time) < cutMemory {
		load.LastCut = &cut
	}
	return load
}

func (k *tracked) describe() PodLoad {
	return PodLoad{
		UID:         k.pod.UID,
		Name:        k.pod.Name,
		Terminating: k.pod.DeletionTimestamp != nil,
		ReadySince:  k.ready,
		ReadyUntil:  k.unready,
		Status:      k.status,
		Seen:        k.seen,
	}
}

// observe takes in the latest state of a pod; listed says that it was there before this process looked.
func (t *Tracker) observe(pod *corev1.Pod, listed bool) {
	service, ok := t.selection.Service(pod)
	if !ok {
		return
	}
	t.mu.Lock()
	known := t.track(service, pod)
	known.pod = pod
	known.turnReady(readyFrom(pod, known.ready, listed, time.Now()), time.Now())
	cut := t.follow(known)
	notify := t.notify
	t.mu.Unlock()
	if cut {
		notify(service)
	}
}

// forget takes in the last state of a pod that is gone.
func (t *Tracker) forget(pod *corev1.Pod) {
	t.observe(pod, false)
	t.mu.Lock()
	known, ok := t.pods[pod.UID]
	if !ok {
		t.mu.Unlock()
		return
	}
	cut := known.container != "" && t.end(known, nil)
	t.untrack(known)
	notify := t.notify
	t.mu.Unlock()
	if cut {
		notify(known.service)
	}
}

func (t *Tracker) track(service types.NamespacedName, pod *corev1.Pod) *tracked {
	if known, ok := t.pods[pod.UID]; ok {
		return known
	}
	known := &tracked{service: service, pod: pod}
	t.pods[pod.UID] = known
	if t.services[service] == nil {
		t.services[service] = map[types.UID]*tracked{}
	}
	t.services[service][pod.UID] = known
	return known
}

func (t *Tracker) untrack(known *tracked) {
	delete(t.pods, known.pod.UID)
	delete(t.services[known.service], known.pod.UID)
	if len(t.services[known.service]) == 0 {
		delete(t.services, known.service)
	}
}

// follow moves from the container that was running to the one that runs now, and reports whether streams were cut.
func (t *Tracker) follow(known *tracked) bool {
	status, ok := gatewayStatus(known.pod, t.selection.Container)
	if !ok {
		return false
	}
	cut := false
	if known.container != "" {
		end, ended := endOf(status, known.container)
		if !ended {
			return false
		}
		cut = t.end(known, end)
	}
	known.container = runningID(status)
	return cut
}

// end closes the life of the container that was running, and reports whether it left streams without an end.
func (t *Tracker) end(known *tracked, how *corev1.ContainerStateTerminated) bool {
	count, reason := streamsCut(how, known.status)
	known.container, known.status, known.seen = "", report.Status{}, time.Time{}
	if count == 0 {
		return false
	}
	t.cuts[known.service] = Cut{
		Time: time.Now(), Pod: known.pod.Name, PodCreated: known.pod.CreationTimestamp.Time, Count: count, Reason: reason,
	}
	t.counter.add(known.service, reason, count)
	return true
}

// targets are the pods that can be asked.
func (t *Tracker) targets() []target {
	t.mu.Lock()
	defer t.mu.Unlock()
	targets := make([]target, 0, len(t.pods))
	for uid, known := range t.pods {
		if known.pod.Status.PodIP != "" && !finished(known.pod) {
			now := life{ip: known.pod.Status.PodIP, container: known.container, ready: !known.ready.IsZero()}
			targets = append(targets, target{uid: uid, pod: known.pod, life: now})
		}
	}
	return targets
}

// record keeps what a pod just said of itself. A pod that went in the meantime is left out.
func (t *Tracker) record(uid types.UID, status report.Status) {
	t.mu.Lock()
	known, ok := t.pods[uid]
	if !ok {
		t.mu.Unlock()
		return
	}
	now, before := time.Now(), known.seen
	changed := before.IsZero() || !sameState(known.status, status)
	known.status, known.seen = status, now
	notify := t.notify
	t.mu.Unlock()
	if !before.IsZero() {
		readingAge.Observe(now.Sub(before).Seconds())
	}
	if changed {
		notify(known.service)
	}
}

// dropOldCuts keeps the memory of cuts bounded by what happened lately.
func (t *Tracker) dropOldCuts() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for service, cut := range t.cuts {
		if time.Since(cut.Time) >= cutMemory {
			delete(t.cuts, service)
		}
	}
}

// sameState compares what a reconciler acts upon, which excludes load.
func sameState(a, b report.Status) bool {
	return a.Build == b.Build && a.Revision == b.Revision && a.Source == b.Source && a.Draining == b.Draining &&
		a.MaxInFlight == b.MaxInFlight &&
		sameRejection(a.Rejected, b.Rejected) && slices.EqualFunc(a.Secrets, b.Secrets, sameSecret) &&
		slices.EqualFunc(a.RefusedKeys, b.RefusedKeys, sameRefusal)
}

// sameSecret leaves out when the secret changed: nothing is done about a rotation that has arrived.
func sameSecret(a, b report.SecretState) bool {
	return a.SecretFile == b.SecretFile && a.Index == b.Index && a.Loaded == b.Loaded && a.Problem == b.Problem
}

func sameRefusal(a, b report.RefusedKey) bool {
	return a.Upstream == b.Upstream && a.UpstreamIndex == b.UpstreamIndex &&
		a.SecretFile == b.SecretFile && a.Index == b.Index && a.Since.Equal(b.Since)
}

func sameRejection(a, b *report.RejectedConfig) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
