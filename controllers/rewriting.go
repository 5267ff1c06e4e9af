package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers/render"
)

// overrideRecheck is how soon to see whether admission still changes a child to the service's harm: there is no event when it
// stops.
const overrideRecheck = 2 * time.Minute

// rewriting is what admission made of a child.
type rewriting struct {
	// as identifies how the child looked then, and its rendering.
	as string
	// overridden says in which fields it is not as the service needs it; empty for a rewriting that does no harm.
	overridden []string
	// next is when to see whether admission still does it; zero for a rewriting that does no harm.
	next time.Time
}

func (w rewriting) due(now time.Time) bool { return !w.next.IsZero() && !now.Before(w.next) }

// tried returns what admission would turn a child into if it was written now, without writing it.
func (r *Reconciler) tried(ctx context.Context, w *wanted) (rewriting, error) {
	object, err := r.replace(ctx, w, client.DryRunAll)
	if err != nil {
		return rewriting{}, err
	}
	return r.rewritingOf(w, object)
}

// rewritingOf returns an object as admission rewrote it, in the form in which caches return it, and the fields that the service
// lacks in it.
func (r *Reconciler) rewritingOf(w *wanted, object *unstructured.Unstructured) (rewriting, error) {
	live, err := r.emptyObject(w.GroupVersionKind)
	if err != nil {
		return rewriting{}, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, live); err != nil {
		return rewriting{}, fmt.Errorf("decode the written object: %w", err)
	}
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return rewriting{}, fmt.Errorf("encode the written object: %w", err)
	}
	as, err := w.writtenAs(live, have)
	made := rewriting{as: as, overridden: overriddenIn(object.Object, w.Child, w.rendered)}
	if len(made.overridden) > 0 {
		made.next = w.seen.now.Add(overrideRecheck)
	}
	return made, err
}

// overridden lists the fields of all children that are not as the service needs them.
func (m *memory) overridden() []string {
	var all []string
	for _, child := range slices.SortedFunc(maps.Keys(m.rewritings), render.ChildKey.Compare) {
		all = append(all, m.rewritings[child].overridden...)
	}
	return all
}

// overrideDue says that some child is to be looked at again for what admission makes of it.
func (m *memory) overrideDue(now time.Time) bool {
	for _, rewriting := range m.rewritings {
		if rewriting.due(now) {
			return true
		}
	}
	return false
}

// recheck is how soon to look again at what admission did to a child. Of a paused service, no child is written anyway.
func (r *Reconciler) recheck(seen *view) time.Duration {
	if seen.paused() {
		return 0
	}
	return r.memories.of(seen).recheck(seen.now)
}

// recheck is how soon to look again at what admission did to a child; zero if it did no harm.
func (m *memory) recheck(now time.Time) time.Duration {
	var wait time.Duration
	for _, rewriting := range m.rewritings {
		if !rewriting.next.IsZero() {
			wait = soonest(wait, max(rewriting.next.Sub(now), time.Millisecond))
		}
	}
	return wait
}

// writtenAs identifies a child's rendering, and what the live object has where something was rendered. Versions and generations
// would not do: a status changes the one, and not every API server has the other for every kind.
func (w *wanted) writtenAs(live client.Object, have map[string]any) (string, error) {
	part := projected(have, w.rendered.Object)
	if shared, ok := part["metadata"].(map[string]any); ok {
		delete(shared, "ownerReferences") // a list that others add to, of which caches keep our entry alone
	}
	delete(part, "apiVersion") // a client may leave them out
	delete(part, "kind")
	encoded, err := json.Marshal(part)
	if err != nil {
		return "", fmt.Errorf("encode the live object: %w", err)
	}
	return fmt.Sprintf("%s/%x/%s", live.GetUID(), sha256.Sum256(encoded), w.Hash), nil
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
