package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
)

const (
	// patience is how long all may take to come to rest on a busy machine, once the fault is healed.
	patience = 60 * time.Second
	// stepPatience is how long the next step waits for the one before where the fault may block it.
	stepPatience = 2500 * time.Millisecond
	// lateness is by how much late events are late.
	lateness = 1200 * time.Millisecond
	// pause is the silence after a step, quiet that at the end: a loop of writes takes milliseconds.
	pause, quiet = 150 * time.Millisecond, 1200 * time.Millisecond
	// asking is how often the API server is asked whether something came about.
	asking = 50 * time.Millisecond
)

// run is a script that is played in a namespace of its own, with operators, and with what else a cluster has.
type run struct {
	t         *testing.T
	namespace string
	fault     fault
	healed    atomic.Bool
	// clock is what is added to the operator's.
	clock atomic.Int64

	// mu is held by each change in the namespace: what is looked at beside a write is what is there.
	mu     sync.Mutex
	player *player
	rules  *rules
	// left says that the namespace is being deleted: nothing can be created in it.
	left bool
	// harm says what the last step did to a child, until the operator has seen it; nil if it did nothing to one.
	harm func() string

	// state guards what follows.
	state     sync.Mutex
	random    *rand.Rand
	gateway   render.GatewaySettings
	operators []*operator
	over      bool
	writes    []*write
	last      time.Time
	// hasty says that a step did not wait for the one before to be through.
	hasty bool
	log   []string
}

// operator is one process.
type operator struct {
	link   *link
	cancel context.CancelFunc
	ended  chan error
}

// wait returns when the process has ended; how does not matter, for nothing of it reaches the API server any more.
func (o *operator) wait() {
	if err := <-o.ended; err != nil {
		o.link.run.notef("operator: %v", err)
	}
}

// play runs the script under the fault, heals the fault, and waits until all is at rest.
func play(t *testing.T, s script, f fault, seed uint64) *run {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "faults-"}}
	if err := api.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	r := &run{
		t: t, namespace: namespace.Name, fault: f, last: time.Now(), gateway: render.GatewaySettings{Image: "gateway:v1"},
		random: rand.New(rand.NewPCG(seed, 0)),
	}
	r.rules, r.player = newRules(r), newPlayer(r)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.player.play(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		r.end()
	})
	r.start()
	r.awaitWatches()
	f.begin(ctx, r)
	for n, step := range s.steps {
		f.step(r, n)
		r.notef("step %d: %s", n, step.name)
		r.harm = nil
		step.do(r)
		r.awaitStep()
	}
	f.meanwhile(r)
	r.healed.Store(true)
	r.notef("healed")
	r.rest()
	return r
}

// start runs one more operator.
func (r *run) start() {
	r.state.Lock()
	over, gateway := r.over, r.gateway
	r.state.Unlock()
	if over {
		return
	}
	o := &operator{link: newLink(r), ended: make(chan error, 1)}
	config := rest.CopyConfig(server.Operator)
	// The faults read what is sent.
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		o.link.next = next
		return o.link
	}
	manager, err := controllers.NewManager(config, controllers.Options{
		Gateway: gateway, ProbeAddress: "0", MetricsAddress: "0", PodAddress: r.player.address,
		Logger: funcr.New(r.logged, funcr.Options{}),
		Now:    func() time.Time { return time.Now().Add(time.Duration(r.clock.Load())) },
		// Each step has a config of its own, however soon it follows the one before.
		ConfigPause: time.Millisecond,
	})
	if err != nil {
		r.t.Error(err)
		return
	}
	var ctx context.Context
	ctx, o.cancel = context.WithCancel(context.Background())
	go func() { o.ended <- manager.Start(ctx) }()
	r.state.Lock()
	defer r.state.Unlock()
	r.operators = append(r.operators, o)
}

// kill ends the oldest operator as a crash does, and starts another.
func (r *run) kill() {
	r.state.Lock()
	var oldest *operator
	if len(r.operators) > 0 {
		oldest = r.operators[0]
	}
	r.state.Unlock()
	if oldest == nil || r.healed.Load() {
		return
	}
	oldest.link.die()
	r.replace()
}

// replace starts an operator in place of those whose link is dead.
func (r *run) replace() {
	r.state.Lock()
	var dead []*operator
	r.operators = slices.DeleteFunc(r.operators, func(o *operator) bool {
		gone := o.link.isDead()
		if gone {
			dead = append(dead, o)
		}
		return gone
	})
	r.state.Unlock()
	for _, o := range dead {
		o.cancel()
		go o.wait()
	}
	r.start()
}

// stop ends all operators.
func (r *run) stop() {
	r.state.Lock()
	operators := r.operators
	r.operators = nil
	r.state.Unlock()
	for _, o := range operators {
		o.link.die()
		o.cancel()
		o.wait()
	}
}

func (r *run) end() {
	r.state.Lock()
	r.over = true
	r.state.Unlock()
	r.stop()
	r.player.close()
	if r.t.Failed() {
		r.state.Lock()
		defer r.state.Unlock()
		r.t.Logf("what happened:\n%s", strings.Join(r.log[max(0, len(r.log)-200):], "\n"))
	}
}

func (r *run) disconnect() {
	r.state.Lock()
	defer r.state.Unlock()
	for _, o := range r.operators {
		o.link.cut()
	}
}

// every does something again and again until the fault is healed.
func (r *run) every(ctx context.Context, period time.Duration, do func()) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for !r.healed.Load() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}

// roll is a number below n, chance one in n.
func (r *run) roll(n int) int {
	r.state.Lock()
	defer r.state.Unlock()
	return r.random.IntN(n)
}

func (r *run) chance(n int) bool { return r.roll(n) == 0 }

func (r *run) notef(format string, args ...any) {
	r.state.Lock()
	defer r.state.Unlock()
	r.log = append(r.log, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

// logged keeps what an operator says, except for how it starts and stops.
func (r *run) logged(_, line string) {
	if !strings.Contains(line, "tarting ") && !strings.Contains(line, "topping ") {
		r.notef("%s", line)
	}
}

// sent keeps what an operator tried to write.
func (r *run) sent(w *write) {
	r.notef("%s", w)
	r.state.Lock()
	defer r.state.Unlock()
	r.writes = append(r.writes, w)
	r.last = time.Now()
}

// wrote says that an operator tried to write a kind.
func (r *run) wrote(kind string) bool {
	r.state.Lock()
	defer r.state.Unlock()
	return slices.ContainsFunc(r.writes, func(w *write) bool { return w.kind == kind && w.subresource == "" })
}

func (r *run) silence() time.Duration {
	r.state.Lock()
	defer r.state.Unlock()
	return time.Since(r.last)
}

// resourceVersion is that of the latest change.
func (r *run) resourceVersion() string {
	var list v1alpha1.LLMServiceList
	if err := api.List(context.Background(), &list, client.InNamespace(r.namespace)); err != nil {
		r.t.Error(err)
	}
	return list.ResourceVersion
}

func (r *run) services() []v1alpha1.LLMService {
	var list v1alpha1.LLMServiceList
	if err := api.List(context.Background(), &list, client.InNamespace(r.namespace)); err != nil {
		r.t.Error(err)
	}
	return list.Items
}

// unsettled says what is not at rest; empty if all is.
func (r *run) unsettled() string {
	for _, service := range r.services() {
		if service.DeletionTimestamp != nil {
			continue
		}
		status := service.Status
		isTrue := func(kind string) bool { return meta.IsStatusConditionTrue(status.Conditions, kind) }
		switch {
		case status.ObservedGeneration != service.Generation:
			return fmt.Sprintf("%s: generation %d of %d is observed", service.Name, status.ObservedGeneration, service.Generation)
		case !isTrue(v1alpha1.ConditionReady) && !isTrue(v1alpha1.ConditionStalled), isTrue(v1alpha1.ConditionReconciling):
			return fmt.Sprintf("%s: %+v", service.Name, status.Conditions)
		case !r.left && !r.fault.blocks() && passes(&status):
			// The next step would change a spec that was never delivered, and there would be no last good config.
			return fmt.Sprintf("%s: stalled for what passes: %+v", service.Name, status.Conditions)
		case conflict(&status) && isTrue(v1alpha1.ConditionConfigValid) && !isTrue(v1alpha1.ConditionConfigApplied):
			// The other children are made all the same, and what is served at the next step becomes the last good config.
			return fmt.Sprintf("%s: beside the conflict, %+v", service.Name, status.Conditions)
		}
	}
	if !r.player.idle() {
		return "the cluster is busy"
	}
	if r.harm != nil {
		return r.harm()
	}
	return ""
}

// passes says that a service is stalled for what no script does: an API server that starts, or a machine that is busy.
func passes(status *v1alpha1.LLMServiceStatus) bool {
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled)
	return stalled != nil && (stalled.Reason == v1alpha1.ReasonApplyFailed || stalled.Reason == v1alpha1.ReasonTooSlow)
}

func conflict(status *v1alpha1.LLMServiceStatus) bool {
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonChildConflict
}

// awaitStep waits until a step is through, or for as long as its fault allows.
func (r *run) awaitStep() {
	deadline := time.Now().Add(patience)
	if r.fault.blocks() {
		deadline = time.Now().Add(stepPatience)
	}
	for ; ; time.Sleep(asking) {
		why := r.unsettled()
		if why == "" && r.silence() > pause {
			return
		}
		if time.Now().After(deadline) {
			r.notef("not waiting any longer: %s", why)
			if !r.fault.blocks() {
				r.t.Errorf("a step was not through after %v: %s", patience, why)
			}
			r.state.Lock()
			r.hasty = true
			r.state.Unlock()
			return
		}
	}
}

// rest waits until all is at rest, and stays so.
func (r *run) rest() {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(asking) {
		why := r.unsettled()
		if why == "" && r.silence() > quiet {
			return
		}
		if time.Now().After(deadline) {
			r.t.Errorf("not at rest after %v: %s; the last write was %v ago", patience, why, r.silence())
			return
		}
	}
}

// brokef reports that a rule was broken.
func (r *run) brokef(format string, args ...any) {
	r.notef("BROKEN: "+format, args...)
	r.t.Errorf(format, args...)
}

// awaitPoll waits until what gateways say now has been read: they are asked every second.
func (r *run) awaitPoll() {
	for deadline := time.Now().Add(1500 * time.Millisecond); time.Now().Before(deadline); time.Sleep(asking) {
	}
}

// awaitWatches waits until the operator watches all that it watches.
func (r *run) awaitWatches() {
	r.t.Helper()
	for deadline := time.Now().Add(patience); r.watches() < len(kinds); time.Sleep(asking) {
		if time.Now().After(deadline) {
			r.t.Fatalf("the operator watches %d kinds", r.watches())
		}
	}
}

func (r *run) watches() int {
	r.state.Lock()
	defer r.state.Unlock()
	if len(r.operators) == 0 {
		return 0
	}
	l := r.operators[0].link
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.streams)
}
