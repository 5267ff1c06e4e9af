package rollout

import (
	"encoding/json"
	"fmt"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// Annotation of a Deployment holds, as JSON, what an Origin has. It is written together with the pod template, so that another
// leader, or the same one after a restart, knows whose turn it is.
const Annotation = v1alpha1.Group + "/template"

// Origin is what the pod template of a Deployment was made from. It is zero for a Deployment of a release that recorded none.
type Origin struct {
	// Format identifies how Spec was computed; those of different formats cannot be compared.
	Format int `json:"format"`
	// Spec identifies what of the service's spec the template depends on.
	Spec string `json:"spec"`
	// Template identifies the template as it was rendered; empty if a release rendered it that recorded no Origin.
	Template string `json:"template,omitempty"`
	// Turn is set from the moment at which the operator changed the template for a reason of its own, until the pods are replaced.
	Turn Turn `json:"turn,omitempty"`
}

// Turn is the right to replace a service's pods.
type Turn string

const (
	// TurnTaken is the turn of a service whose replicas were all available before: if its pods cannot be replaced, the new template is
	// to blame.
	TurnTaken Turn = "Taken"
	// TurnUnproven is the turn of a service that had no replicas, or not all of them available: whatever becomes of it proves nothing.
	TurnUnproven Turn = "Unproven"
)

// ReadOrigin reads an annotation; the Origin is zero if there is none that can be read.
func ReadOrigin(annotation string) Origin {
	var o Origin
	if err := json.Unmarshal([]byte(annotation), &o); err != nil {
		return Origin{}
	}
	switch o.Turn {
	case "", TurnTaken, TurnUnproven:
		return o
	default:
		o.Turn = TurnTaken // of a newer release: it is somebody's turn
		return o
	}
}

// Encode returns the value of the annotation.
func (o Origin) Encode() (string, error) {
	encoded, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("encode the origin of a template: %w", err)
	}
	return string(encoded), nil
}

// Change is the reason why a Deployment is to have another template than it was given last.
type Change int

const (
	// Unchanged means that there is none. The Deployment may still differ, because somebody else changed it.
	Unchanged Change = iota
	// OfSpec is the service's spec.
	OfSpec
	// OfOperator is the operator alone, such as its gateway image or its release.
	OfOperator
)

// To returns the reason for a template of another origin. If what was recorded cannot be compared, it is the operator: all services
// of an older release differ in that at once.
func (o Origin) To(wanted Origin) Change {
	switch {
	case o.Template == wanted.Template:
		return Unchanged
	case o.Format != wanted.Format || o.Spec == wanted.Spec:
		return OfOperator
	default:
		return OfSpec
	}
}

// Held is the origin to record while the Deployment keeps its template although the operator wants another one. If nothing is
// recorded that can be compared, the spec as it is now is: a later change of it is a change of the user.
func (o Origin) Held(wanted Origin) Origin {
	o.Turn = ""
	if o.Format != wanted.Format {
		return Origin{Format: wanted.Format, Spec: wanted.Spec}
	}
	return o
}
