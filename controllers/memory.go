package controllers

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	// written is how each kind of child looked after admission rewrote it.
	written map[string]string
	nudges  map[types.UID]nudge
	// deployment is the one that template is about: the generation in which its pods' template was last written.
	deployment types.UID
	template   int64
	// judged is what came of compiling the spec last; its revision is empty before that.
	judged judgement
}

// nudge is how often a pod was reminded of a revision, and when it will be again.
type nudge struct {
	revision string
	count    int
	next     time.Time
	// failed is why the last one did not reach the pod; nil if it did.
	failed error
}

// of returns the memory of the service; one of the same name that was deleted leaves none.
func (m *memories) of(seen *view) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := client.ObjectKeyFromObject(seen.service)
	if known, ok := m.services[key]; ok && known.uid == seen.service.UID {
		return known
	}
	if m.services == nil {
		m.services = map[types.NamespacedName]*memory{}
	}
	fresh := &memory{uid: seen.service.UID, written: map[string]string{}, nudges: map[types.UID]nudge{}}
	m.services[key] = fresh
	return fresh
}

func (m *memories) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.services, key)
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

func (m *memory) rewritten(kind, as string) bool { return m.written[kind] == as }

func (m *memory) rewrite(kind, as string) { m.written[kind] = as }

// writtenAs identifies a child's rendering, and what the live object has where something was rendered. Versions and generations
// would not do: a status changes the one, and not every API server has the other for every kind.
func writtenAs(live client.Object, child *render.Child) (string, error) {
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return "", fmt.Errorf("encode the live object: %w", err)
	}
	rendered, err := child.Unstructured()
	if err != nil {
		return "", err
	}
	shared, _ := rendered.Object["metadata"].(map[string]any)
	delete(shared, "ownerReferences") // a list that others add to, of which caches keep our entry alone
	delete(rendered.Object, "apiVersion")
	delete(rendered.Object, "kind")
	encoded, err := json.Marshal(projected(have, rendered.Object))
	if err != nil {
		return "", fmt.Errorf("encode the live object: %w", err)
	}
	return fmt.Sprintf("%s/%x/%s", live.GetUID(), sha256.Sum256(encoded), child.Hash), nil
}

// projected is what a live object has where something was rendered. Lists are taken whole.
func projected(live, rendered map[string]any) map[string]any {
	part := map[string]any{}
	for key, want := range rendered {
		got := live[key]
		if inner, ok := want.(map[string]any); ok {
			if have, ok := got.(map[string]any); ok {
				got = projected(have, inner)
			}
		}
		part[key] = got
	}
	return part
}
