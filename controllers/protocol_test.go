package controllers

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// The protocol between operator, API server and gateways is checked here in every state that edits, lagging watches,
// crashes, restarts onto old views and replaced pods lead to, up to a number of edits and crashes. What the operator
// decides in a state, its own code decides; the order of its writes and the world around it are modelled. The invariants
// are in broken and in unsettled.

// asked is a spec, or the config that is made of it.
type asked uint8

const (
	nothing asked = iota
	first
	second
	// poison passes the operator's validation, and gateways refuse it, as they do what another release has allowed.
	poison
	// invalid is refused by the operator.
	invalid
)

func (a asked) String() string { return []string{"nothing", "first", "second", "poison", "invalid"}[a] }

// servable reports whether a gateway can load it.
func (a asked) servable() bool { return a == first || a == second }

// wide is how many pods there may be.
const wide = 2

// objects are what the API server holds, or what the operator's caches show of it. A version is a resource version; 0
// stands for an object that is not there. All children but the ConfigMap are one here: the spec they were rendered from.
type objects struct {
	service struct {
		spec                asked
		generation, version uint8
		reported            asked
		acknowledged        uint8
		served, ready       bool
		observed            uint8
	}
	configMap struct {
		current, lastGood asked
		version           uint8
		// generation is that of the service in whose view it was written. No program reads it.
		generation uint8
	}
	others asked
}

// phase is the next step of a reconcile.
type phase uint8

const (
	observing phase = iota
	writingConfigMap
	writingOthers
	writingStatus
)

// world is one state; two that are equal have the same future.
type world struct {
	// api is the truth, before each object as it was before its last change: a server that lags shows it after a restart.
	api, before, cached objects
	// serves is what each gateway serves, read what the operator read of that.
	serves, read [wide]asked

	phase   phase
	seen    objects
	decided decision
	// checked says that this reconcile knows its view of the service to be the latest.
	checked bool

	// proven is set once the status told of a gateway that serves the config which is delivered.
	proven         bool
	edits, crashes uint8
}

// decision is what the operator makes of a view.
type decision struct {
	current, lastGood asked
	acknowledged      uint8
	served, ready     bool
}

// question is what a decision depends on.
type question struct {
	spec, reported    asked
	served            bool
	delivered         bool
	current, lastGood asked
	read              [wide]asked
}

// protocol has the bounds of the search, and what a test breaks in the protocol.
type protocol struct {
	t *testing.T
	bounds

	documents map[asked]render.Document
	decisions map[question]decision
	// unchecked leaves out the question whether the view is the latest, halfChecked its half about the ConfigMap; forgetful
	// lets the status forget what was served; backward writes the ConfigMap last.
	unchecked, halfChecked, forgetful, backward bool
}

func newProtocol(t *testing.T, b bounds) *protocol {
	t.Helper()
	p := &protocol{t: t, bounds: b, documents: map[asked]render.Document{}, decisions: map[question]decision{}}
	for _, a := range []asked{first, second, poison} {
		document, problem := documentOf(serviceAsking(a), render.GatewaySettings{Image: "gateway:test"})
		if problem != nil {
			t.Fatal(problem.message)
		}
		p.documents[a] = document
	}
	return p
}

func serviceAsking(a asked) *v1alpha1.LLMService {
	if a == invalid {
		return serviceWith("ftp://invalid")
	}
	return serviceWith("http://" + a.String() + ".svc/v1")
}

// of is the config that a document holds.
func (p *protocol) of(document render.Document) asked {
	for a, known := range p.documents {
		if known.Revision() == document.Revision() {
			return a
		}
	}
	return nothing
}

func (p *protocol) decide(w *world) decision {
	s, c := &w.seen.service, &w.seen.configMap
	q := question{s.spec, s.reported, s.served, c.version > 0, c.current, c.lastGood, w.read}
	if known, ok := p.decisions[q]; ok {
		return known
	}
	seen := p.view(q)
	documents := chosen(seen, render.GatewaySettings{Image: "gateway:test"})
	a := acknowledge(seen, documents.current)
	status, _ := statusOf(seen, documents, (&Reconciler{}).factsOf(seen, documents, outcome{}, a))
	p.decisions[q] = decision{
		current: p.of(documents.current), lastGood: p.of(documents.lastGood), acknowledged: uint8(a.acknowledged),
		served: status.Config != nil && status.Config.Served,
		ready:  meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady),
	}
	return p.decisions[q]
}

// view is the operator's own type, made of the model's.
func (p *protocol) view(q question) *view {
	v := &view{now: moment, service: serviceAsking(q.spec)}
	v.service.Spec.Replicas = new(int32(wide))
	if q.reported != nothing {
		v.service.Status.Config = &v1alpha1.ConfigStatus{Revision: p.documents[q.reported].Revision(), Served: q.served}
	}
	owners := []metav1.OwnerReference{{UID: v.service.UID, Controller: new(true)}}
	if q.delivered {
		current, lastGood := p.documents[q.current], p.documents[q.lastGood]
		configMap := &corev1.ConfigMap{Data: map[string]string{
			delivery.CurrentKey: string(current.Encoded), delivery.LastGoodKey: string(lastGood.Encoded),
		}}
		configMap.OwnerReferences = owners
		configMap.Annotations = recordOf(p.t, render.Accepted{Current: current.Revision(), LastGood: lastGood.Revision()})
		v.putConfigMap(configMap)
	}
	deployment := &appsv1.Deployment{Status: appsv1.DeploymentStatus{Replicas: wide, UpdatedReplicas: wide, AvailableReplicas: wide}}
	deployment.OwnerReferences = owners
	v.put(render.GatewaysKey(v.service.Name), deployment)
	for i, read := range q.read[:p.pods] {
		known := load.PodLoad{UID: types.UID(fmt.Sprint("pod-", i))}
		if read != nothing {
			known.Seen, known.Status.Revision = moment, p.documents[read].Revision()
		}
		v.load.Pods = append(v.load.Pods, known)
		v.pods = append(v.pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: known.UID}})
	}
	return v
}

// step is a change of the world, and what it is called in a trace.
type step struct {
	name string
	to   world
}

// steps are all that may happen next.
func (p *protocol) steps(w world) []step {
	return slices.Concat(p.userSteps(w), p.operatorSteps(w), watchSteps(w), p.podSteps(w), p.crashSteps(w))
}

func (p *protocol) userSteps(w world) (steps []step) {
	if w.edits == p.edits {
		return nil
	}
	for a := first; a <= invalid; a++ {
		if a == w.api.service.spec {
			continue
		}
		to := w
		to.edits++
		to.before.service = w.api.service
		to.api.service.spec = a
		to.api.service.generation++
		to.api.service.version++
		steps = append(steps, step{"edit to " + a.String(), to})
	}
	return steps
}

// watchSteps let the caches see one kind of object as it is now.
func watchSteps(w world) []step {
	service, configMap, others := w, w, w
	service.cached.service = w.api.service
	configMap.cached.configMap = w.api.configMap
	others.cached.others = w.api.others
	return []step{{"watch the service", service}, {"watch the ConfigMap", configMap}, {"watch the others", others}}
}

func (p *protocol) podSteps(w world) (steps []step) {
	for i := range p.pods {
		loaded, polled, replaced := w, w, w
		switch c := w.api.configMap; {
		case c.current.servable():
			loaded.serves[i] = c.current
		case w.serves[i] == nothing && c.lastGood.servable():
			loaded.serves[i] = c.lastGood
		}
		polled.read[i] = w.serves[i]
		replaced.serves[i], replaced.read[i] = nothing, nothing
		steps = append(steps,
			step{fmt.Sprint("load in pod ", i), loaded}, step{fmt.Sprint("poll pod ", i), polled}, step{fmt.Sprint("replace pod ", i), replaced})
	}
	return steps
}

// crashSteps end the operator between two writes and start it again, onto each view that a lagging server may give it.
func (p *protocol) crashSteps(w world) (steps []step) {
	if w.crashes == p.crashes {
		return nil
	}
	for old := range 8 {
		to := w
		to.crashes++
		to.idle()
		to.cached, to.read = w.api, [wide]asked{}
		if old&1 != 0 {
			to.cached.service = w.before.service
		}
		if old&2 != 0 {
			to.cached.configMap = w.before.configMap
		}
		if old&4 != 0 {
			to.cached.others = w.before.others
		}
		steps = append(steps, step{fmt.Sprintf("crash, restart onto view %03b", old), to})
	}
	return steps
}

// plain replaces versions and generations by their order, which is all that anybody looks at, sorts the pods, and drops
// what no crash can bring back: states that differ in nothing else are one.
func (p *protocol) plain(w world) world {
	if w.crashes == p.crashes {
		w.before = objects{}
	}
	for i := range p.pods - 1 {
		if w.serves[i] > w.serves[i+1] || w.serves[i] == w.serves[i+1] && w.read[i] > w.read[i+1] {
			w.serves[i], w.serves[i+1], w.read[i], w.read[i+1] = w.serves[i+1], w.serves[i], w.read[i+1], w.read[i]
		}
	}
	var services, configMaps, generations []*uint8
	for _, o := range []*objects{&w.api, &w.before, &w.cached, &w.seen} {
		services, configMaps = append(services, &o.service.version), append(configMaps, &o.configMap.version)
		generations = append(generations, &o.service.generation, &o.service.observed, &o.configMap.generation)
	}
	rank(services)
	rank(configMaps)
	rank(generations)
	return w
}

// rank numbers values by their order, from 1; 0 stays.
func rank(values []*uint8) {
	slices.SortFunc(values, func(a, b *uint8) int { return int(*a) - int(*b) })
	var before, next uint8
	for _, v := range values {
		if *v != before {
			before = *v
			next++
		}
		*v = min(*v, next)
	}
}

// idle ends a reconcile.
func (w *world) idle() {
	w.phase, w.seen, w.decided, w.checked = observing, objects{}, decision{}, false
}

// operatorSteps has the next step of a reconcile. What takes no write takes no step.
func (p *protocol) operatorSteps(w world) []step {
	to := w
	name := "observe"
	switch w.phase {
	case observing:
		if !p.observe(&to) {
			return nil
		}
	case writingConfigMap:
		name = "write the ConfigMap"
		p.writeConfigMap(&to)
	case writingOthers:
		name = "write the others"
		p.writeOthers(&to)
	case writingStatus:
		name = "write the status"
		p.writeStatus(&to)
	}
	return []step{{name, to}}
}

func (p *protocol) observe(w *world) bool {
	w.seen = w.cached
	if w.seen.service.version == 0 {
		return false
	}
	if w.seen.configMap.version == 0 {
		w.seen.configMap = w.api.configMap // read from the API server
	}
	w.decided, w.phase = p.decide(w), writingConfigMap
	if p.backward {
		w.phase = writingOthers
	}
	if w.decided.current == nothing {
		w.phase = writingStatus
	}
	return true
}

// latest says that the view was the latest when the reconcile was about to write for the first time.
func (p *protocol) latest(w *world) bool {
	w.checked = w.checked || p.unchecked || w.seen.service.generation == w.api.service.generation &&
		(p.halfChecked || w.seen.configMap.version == w.api.configMap.version)
	return w.checked
}

func (p *protocol) writeConfigMap(w *world) {
	want := w.seen.configMap
	want.current, want.lastGood = w.decided.current, w.decided.lastGood
	w.phase++
	if p.backward {
		w.phase = writingStatus
	}
	if want == w.seen.configMap {
		return
	}
	want.generation = w.seen.service.generation
	if !p.latest(w) || w.seen.configMap.version != w.api.configMap.version {
		w.idle()
		return
	}
	want.version = w.api.configMap.version + 1
	w.before.configMap, w.api.configMap = w.api.configMap, want
}

func (p *protocol) writeOthers(w *world) {
	w.phase = writingStatus
	if p.backward {
		w.phase = writingConfigMap
	}
	if w.seen.others == w.decided.current {
		return
	}
	if !p.latest(w) {
		w.idle()
		return
	}
	w.before.others, w.api.others = w.api.others, w.decided.current
}

func (p *protocol) writeStatus(w *world) {
	want := w.seen.service
	want.reported, want.acknowledged = w.decided.current, w.decided.acknowledged
	want.served = w.decided.served && !p.forgetful
	want.ready, want.observed = w.decided.ready, want.generation
	if want != w.seen.service && w.seen.service.version == w.api.service.version {
		want.version++
		w.before.service, w.api.service = w.api.service, want
		w.proven = w.proven || want.acknowledged > 0 && want.reported == w.api.configMap.current
	}
	w.idle()
}

// broken is the invariant that a step broke; empty for none.
func (p *protocol) broken(from, to *world) string {
	was, is := &from.api, &to.api
	switch {
	case is.configMap.generation < was.configMap.generation:
		return "an older spec took the place of a newer one"
	case is.configMap.lastGood != nothing && !is.configMap.lastGood.servable():
		return "the last good config is one that no gateway ever served"
	case to.proven && !is.configMap.current.servable() && !is.configMap.lastGood.servable():
		return "gateways have served a config, and a new pod would find none that it can load"
	case is.others != was.others && is.others != is.configMap.current:
		return "children of one spec beside the config of another"
	case is.service.ready && is.service.observed == is.service.generation && is.service.reported != is.service.spec:
		return "Ready without serving the spec"
	}
	return ""
}

// unsettled says what is missing once edits and crashes have ended and everybody has done what they should, a few times
// over; empty for nothing.
func (p *protocol) unsettled(w world) string {
	for range 6 {
		p.round(&w)
	}
	settled := w
	p.round(&w)
	spec := w.api.service.spec
	switch {
	case w.api != settled.api:
		return "writes go on and on"
	case spec.servable() && (!w.api.service.ready || slices.ContainsFunc(w.serves[:p.pods], func(a asked) bool { return a != spec })):
		return "the spec is not served"
	case !spec.servable() && w.api.service.ready:
		return "Ready with a spec that nobody serves"
	case w.proven && slices.Contains(w.serves[:p.pods], nothing):
		return "a gateway serves nothing"
	}
	return ""
}

// round lets every watch arrive, the operator reconcile, and each gateway load what it finds and be read.
func (p *protocol) round(w *world) {
	w.cached = w.api
	for range writingStatus + 1 {
		for _, s := range p.operatorSteps(*w) {
			*w = s.to
		}
		if w.phase == observing {
			break
		}
	}
	for i := range p.pods {
		*w = p.podSteps(*w)[3*i].to
		*w = p.podSteps(*w)[3*i+1].to
	}
}

// visit is a state on the way to others.
type visit struct {
	world world
	from  int
	by    string
}

// search looks at every state, nearest first, until an invariant is broken. It returns how many there are, and the
// shortest way to what is broken.
func (p *protocol) search() (int, string) {
	var start world
	start.api.service.spec, start.api.service.generation, start.api.service.version = first, 1, 1
	visits, known := []visit{{world: start}}, map[world]struct{}{start: {}}
	for i := 0; i < len(visits); i++ {
		from := visits[i].world
		if problem := p.unsettled(from); problem != "" {
			return len(visits), trace(visits, i) + problem
		}
		for _, s := range p.steps(from) {
			if problem := p.broken(&from, &s.to); problem != "" {
				return len(visits), trace(visits, i) + s.name + "\n" + problem
			}
			to := p.plain(s.to)
			if _, ok := known[to]; !ok {
				known[to] = struct{}{}
				visits = append(visits, visit{to, i, s.name})
			}
		}
	}
	return len(visits), ""
}

func trace(visits []visit, at int) string {
	var names []string
	for ; at > 0; at = visits[at].from {
		names = append(names, visits[at].by+"\n")
	}
	slices.Reverse(names)
	return strings.Join(names, "")
}

// bounds of a search.
type bounds struct {
	pods           int
	edits, crashes uint8
}

func TestProtocol(t *testing.T) {
	searches := []bounds{{1, 1, 1}}
	if os.Getenv("LLMSERVICE_SOAK") != "" {
		searches = append(searches, bounds{2, 1, 0}, bounds{2, 1, 1}, bounds{1, 2, 1})
	}
	for _, b := range searches {
		t.Run(fmt.Sprintf("%d pods, %d edits, %d crashes", b.pods, b.edits, b.crashes), func(t *testing.T) {
			states, broken := newProtocol(t, b).search()
			t.Logf("%d states", states)
			if broken != "" {
				t.Error(broken)
			}
		})
	}
}

// TestProtocolCheckerFinds breaks the protocol, and expects to be told.
func TestProtocolCheckerFinds(t *testing.T) {
	for name, tt := range map[string]struct {
		sabotage func(*protocol)
		edits    uint8
		want     string
	}{
		"a view that nobody checks":      {func(p *protocol) { p.unchecked = true }, 1, "an older spec took the place of a newer one"},
		"a ConfigMap that nobody checks": {func(p *protocol) { p.halfChecked = true }, 2, "children of one spec beside the config of another"},
		"the ConfigMap written last":     {func(p *protocol) { p.backward = true }, 1, "children of one spec beside the config of another"},
		"a status that forgets":          {func(p *protocol) { p.forgetful = true }, 1, "a gateway serves nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProtocol(t, bounds{1, tt.edits, 1})
			tt.sabotage(p)
			if _, broken := p.search(); !strings.HasSuffix(broken, "\n"+tt.want) {
				t.Errorf("the checker says:\n%s\nwant %q", broken, tt.want)
			}
		})
	}
}
