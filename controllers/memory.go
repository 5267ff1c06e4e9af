package controllers

import (
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// memories hold what the operator knows of each service and cannot read back. All of it may be lost: a restart costs
// a write or two, and no more.
type memories struct {
	mu       sync.Mutex
	services map[types.NamespacedName]*memory
}

// memory is used by one reconcile at a time.
type memory struct {
	uid types.UID
	// rewritings are of those children that admission rewrote.
	rewritings map[render.ChildKey]rewriting
	nudges     map[types.UID]nudgeRecord
	// deployment is the one that template is about: the generation in which its pods' template was last written.
	deployment types.UID
	template   int64
	// converged is the footprint of the last view in which no child was to be written; empty if one was.
	converged string
	// outdated are versions that a cache may show although the API server has said that there are newer ones, by the object's UID.
	outdated map[types.UID]string
	// unshown are the children that were written and that no cache has shown since.
	unshown map[render.ChildKey]bool
	// delivered is when the service's config was last written.
	delivered time.Time
	// judged is what came of compiling the spec last; its revision is empty before that.
	judged judgement
}

// nudgeRecord is how often a pod was reminded of a revision, and when it will be again.
type nudgeRecord struct {
	revision string
	count    int
	next     time.Time
	// failed is why the last one did not reach the pod; nil if it did.
	failed error
}

// of returns the memory of the service; one of the same name that was deleted leaves none.
func (m *memories) of(seen *view) *memory { return m.about(seen.service) }

func (m *memories) about(service *v1alpha1.LLMService) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := client.ObjectKeyFromObject(service)
	if known, ok := m.services[key]; ok && known.uid == service.UID {
		return known
	}
	if m.services == nil {
		m.services = map[types.NamespacedName]*memory{}
	}
	fresh := &memory{
		uid: service.UID, rewritings: map[render.ChildKey]rewriting{}, nudges: map[types.UID]nudgeRecord{},
		outdated: map[types.UID]string{}, unshown: map[render.ChildKey]bool{},
	}
	m.services[key] = fresh
	return fresh
}

func (m *memories) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.services, key)
}

// outdate takes in that the API server has a newer version of an object than the one that was seen.
func (m *memory) outdate(object client.Object) {
	m.outdated[object.GetUID()] = object.GetResourceVersion()
}

// isOutdated says so of what a cache shows: the event of the newer version was lost, or is still on its way.
func (m *memory) isOutdated(object client.Object) bool {
	version, known := m.outdated[object.GetUID()]
	if known && version != object.GetResourceVersion() {
		delete(m.outdated, object.GetUID())
	}
	return known && version == object.GetResourceVersion()
}

// wrote takes in what a write made of the Deployment.
func (m *memory) wrote(before, after *appsv1.Deployment) {
	same := before != nil && before.UID == after.UID && equality.Semantic.DeepEqual(before.Spec.Template, after.Spec.Template)
	switch {
	case !same:
		m.template = after.Generation
	case m.deployment != after.UID:
		m.template = before.Generation
	}
	m.deployment = after.UID
}

// templateGeneration is the generation from which the Deployment has had its template: its latest, if nothing is known.
func (m *memory) templateGeneration(deployment *appsv1.Deployment) int64 {
	if m.deployment != deployment.UID {
		return deployment.Generation
	}
	return m.template
}
