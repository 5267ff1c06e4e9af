package render

import (
	"encoding/json"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// AcceptedAnnotation of the ConfigMap holds, as JSON, what an Accepted has. It is written together with the documents, so
// that the two always belong to the same spec.
const AcceptedAnnotation = v1alpha1.Group + "/accepted"

// Accepted is what the operator keeps of the spec whose config is delivered, in addition to the config itself. While a later
// spec is refused, all children are rendered from it: none of them gets a part of a spec that was refused.
type Accepted struct {
	// Current and LastGood are the revisions of the documents. A document with another revision was written by somebody else.
	Current  string `json:"current"`
	LastGood string `json:"lastGood,omitempty"`
	// Secrets are the names that the current document refers to.
	Secrets []string `json:"secrets,omitempty"`
	// Destinations are those of the current document; empty if no child needs them.
	Destinations Destinations `json:"destinations,omitzero"`

	Runtime    *v1alpha1.Runtime    `json:"runtime,omitempty"`
	Scaling    *v1alpha1.Scaling    `json:"scaling,omitempty"`
	Exposure   *v1alpha1.Exposure   `json:"exposure,omitempty"`
	Monitoring *v1alpha1.Monitoring `json:"monitoring,omitempty"`
}

// ReadAccepted reads the annotation; nil if it is not there or cannot be read.
func ReadAccepted(annotations map[string]string) *Accepted {
	var a Accepted
	if err := json.Unmarshal([]byte(annotations[AcceptedAnnotation]), &a); err != nil || a.Current == "" {
		return nil
	}
	return &a
}

// Over returns the service as it was accepted: with all that the children are rendered from, except for replicas,
// which belong to no spec.
func (a *Accepted) Over(s *v1alpha1.LLMService) *v1alpha1.LLMService {
	accepted := s.DeepCopy()
	accepted.Spec.Runtime, accepted.Spec.Scaling = a.Runtime, a.Scaling
	accepted.Spec.Exposure, accepted.Spec.Monitoring = a.Exposure, a.Monitoring
	return accepted
}

func acceptedOf(in Input) Accepted {
	spec := &in.Service.Spec
	accepted := Accepted{
		Current: in.Current.Revision(), LastGood: in.LastGood.Revision(), Secrets: in.Current.Secrets,
		Runtime: spec.Runtime, Scaling: spec.Scaling, Exposure: spec.Exposure, Monitoring: spec.Monitoring,
	}
	if policy := networkPolicyOf(in.Service); policy != nil && policy.Egress != nil {
		accepted.Destinations = in.Current.Destinations
	}
	return accepted
}

// Document is one revision of a config, as the gateways read it. Its zero value stands for none.
type Document struct {
	Encoded []byte
	// Secrets are the names that it refers to, sorted.
	Secrets []string
	// Destinations are what gateways connect to for it.
	Destinations Destinations
}

// NewDocument returns the document of a config that was encoded.
func NewDocument(encoded []byte, c *config.Config) Document {
	return Document{Encoded: encoded, Secrets: secretNames(c), Destinations: destinationsOf(c)}
}

// Recorded returns the document with what the record next to it says that it refers to.
func (d Document) Recorded(known *Accepted) Document {
	d.Secrets, d.Destinations = known.Secrets, known.Destinations
	return d
}

// Revision names the document; it is empty for none.
func (d Document) Revision() string {
	if len(d.Encoded) == 0 {
		return ""
	}
	return delivery.Revision(d.Encoded)
}
