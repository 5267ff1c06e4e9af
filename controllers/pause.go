package controllers

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// pause is what the operator leaves undone of a service that is paused. All methods may be called on nil, of one that is not.
type pause struct {
	// held lists the objects that the operator would write or delete.
	held []string
	// config says that the spec's config would be written, too.
	config bool
	// wanted and kept are the numbers of replicas that the spec asks for, and that there are to be.
	wanted, kept int32
}

func (v *view) paused() bool { return v.service.Spec.Paused != nil && *v.service.Spec.Paused }

// hold compares the children with what was rendered, and writes none. Nothing else reads them: a view that is too old is followed
// by a newer one.
func (r *Reconciler) hold(seen *view, documents documents) (*pause, error) {
	result := &pause{wanted: specReplicas(seen.service), kept: seen.wantedReplicas()}
	children, err := r.render(seen, documents)
	if err != nil || len(children) == 0 {
		return result, err
	}
	rendered := map[render.ChildKey]bool{}
	for i := range children {
		child := &children[i]
		rendered[child.Key()] = true
		held, err := r.holds(seen, child)
		if err != nil {
			return nil, err
		}
		if held {
			result.held = append(result.held, child.Kind+" "+child.Name)
		}
	}
	for _, key := range superfluous(seen, rendered) {
		result.held = append(result.held, key.Kind+" "+key.Name)
	}
	slices.Sort(result.held)
	result.config = documents.current.Revision() != deliveredDocuments(seen).current.Revision()
	return result, nil
}

// holds reports whether a child would be written. One that admission rewrote is as it was left.
func (r *Reconciler) holds(seen *view, child *render.Child) (bool, error) {
	live := seen.children[child.Key()]
	if !seen.owns(live) {
		return true, nil
	}
	rendered, err := child.Unstructured()
	if err != nil {
		return false, err
	}
	as, covered, err := (&wanted{Child: child, seen: seen, live: live, rendered: rendered}).compared()
	return !covered && as != r.memories.of(seen).rewritings[child.Key()].as, err
}

func (p *pause) condition() metav1.Condition {
	if p == nil {
		return metav1.Condition{}
	}
	return condition(v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ReasonPaused, p.message())
}

// unready says that the spec asks for something that is not there, in the form of a condition that is False; it is zero if only
// the number of replicas differs, which makes no service unready.
func (p *pause) unready() metav1.Condition {
	if p == nil || len(p.held) == 0 {
		return metav1.Condition{}
	}
	return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPaused, p.message())
}

func (p *pause) holdsConfig() bool { return p != nil && p.config }

func (p *pause) holdsReplicas() bool { return p != nil && p.wanted != p.kept }

func (p *pause) message() string {
	var undone []string
	if len(p.held) > 0 {
		undone = append(undone, "it would write or delete "+strings.Join(p.held, ", "))
	}
	if p.holdsReplicas() {
		undone = append(undone, fmt.Sprintf("it keeps %d replicas, and spec.replicas is %d", p.kept, p.wanted))
	}
	message := "spec.paused is true: the operator changes nothing"
	if len(undone) == 0 {
		return message + ", and nothing waits for it"
	}
	return message + "; " + strings.Join(undone, "; ") + ". Remove spec.paused to continue"
}
