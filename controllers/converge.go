package controllers

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers/render"
)

// converge makes the children what they are rendered as. It renders none if all that it would look at is as it was when
// there was nothing to write: most events are of pods, and change no child. Of a paused service it only says what differs.
func (r *Reconciler) converge(ctx context.Context, seen *view, documents documents) (outcome, error) {
	if seen.paused() {
		r.rollouts.pause(seen)
		pause, err := r.hold(seen, documents)
		return outcome{pause: pause}, err
	}
	memory := r.memories.of(seen)
	looked := footprint(seen, documents) + " " + string(r.rollouts.standing(client.ObjectKeyFromObject(seen.service)))
	if memory.converged == looked && !memory.overrideDue(seen.now) {
		return outcome{}, nil
	}
	memory.converged = ""
	children, err := r.render(seen, documents)
	if err != nil {
		return outcome{}, err
	}
	applied := r.apply(ctx, seen, children)
	if applied.err == nil && !applied.kindGone && !seen.confirmed && seen.showsAll(children) {
		memory.converged = looked
	}
	return applied, nil
}

// showsAll says that each child is in the view: a change of one that is in no cache would be no event.
func (v *view) showsAll(children []render.Child) bool {
	return !slices.ContainsFunc(children, func(child render.Child) bool { return v.children[child.Key()] == nil })
}

// footprint identifies what the children of a view are rendered from, and compared with: the version of each object, the
// documents, and the kinds that may be absent.
func footprint(seen *view, documents documents) string {
	parts := []string{
		seen.service.ResourceVersion, documents.current.Revision(), documents.lastGood.Revision(),
		strconv.FormatBool(documents.problem == nil),
	}
	for _, kind := range seen.kinds {
		if kind.Optional {
			parts = append(parts, kind.String())
		}
	}
	versions := make([]string, 0, len(seen.children))
	for key, child := range seen.children {
		versions = append(versions, key.Kind+"/"+key.Name+"/"+string(child.GetUID())+"/"+child.GetResourceVersion())
	}
	slices.Sort(versions)
	return strings.Join(append(parts, versions...), " ")
}
