package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
)

// maxFieldErrors bounds how many errors a message lists: the rest is found once these are corrected.
const maxFieldErrors = 8

// documents are the configs to deliver. Their zero value stands for none: there has been no valid config yet.
type documents struct {
	current, lastGood render.Document
	// accepted is the service with the spec that current was made of, to render all children from; nil if it is not
	// known: then none is touched.
	accepted *v1alpha1.LLMService
	// problem is set if the spec cannot be served; the other members are then those of the delivered config.
	problem *problem
}

// served is the service with the spec that its children are of: its own until one was accepted.
func (d documents) served(service *v1alpha1.LLMService) *v1alpha1.LLMService {
	if d.accepted == nil {
		return service
	}
	return d.accepted
}

// because adds the reason why the documents are not the spec's; the problem may be nil.
func (d documents) because(problem *problem) documents {
	d.problem = problem
	return d
}

// problem is the reason why a spec cannot be served.
type problem struct{ reason, message string }

// chooseDocuments takes the spec's config if it is valid, and what is delivered already if there is a problem with it.
func chooseDocuments(seen *view, current render.Document, problem *problem) documents {
	delivered := deliveredDocuments(seen)
	if problem != nil {
		return delivered.because(problem)
	}
	return documents{current: current, lastGood: chooseLastGood(seen, delivered, current), accepted: seen.service}
}

// translation is a spec as the gateways read it, not compiled yet.
type translation struct {
	config   *config.Config
	document render.Document
}

// translate does the part of the work that takes little time for any spec.
func translate(service *v1alpha1.LLMService, gateway render.GatewaySettings) (translation, *problem) {
	if problem := checkAgainst(gateway, service); problem != nil {
		return translation{}, problem
	}
	contract, err := render.Contract(service)
	if err != nil {
		return translation{}, &problem{v1alpha1.ReasonInvalid, err.Error()}
	}
	encoded, err := config.Encode(contract)
	if tooLarge, ok := errors.AsType[*config.TooLargeError](err); ok {
		return translation{}, &problem{v1alpha1.ReasonTooLarge, "spec: " + tooLarge.Error()}
	}
	if err != nil {
		return translation{}, &problem{v1alpha1.ReasonInvalid, "spec: " + err.Error()}
	}
	return translation{contract, render.NewDocument(encoded, contract)}, nil
}

// checkAgainst says what this operator does not allow of a spec, or cannot make of it; nil for nothing.
func checkAgainst(gateway render.GatewaySettings, service *v1alpha1.LLMService) *problem {
	forbidden, impossible := gateway.CheckAllowed(service), render.CheckChildren(service)
	problem := invalidSpec(nil, slices.Concat(forbidden, impossible))
	if len(forbidden) > 0 {
		problem.reason = v1alpha1.ReasonNotAllowed
	}
	return problem
}

// describe names the fields of the LLMService: they have the contract's paths, below spec.
func describe(c *config.Config, errs config.Errors) string {
	document := c.Document()
	var lines []string
	for _, err := range errs[:min(len(errs), maxFieldErrors)] {
		path := config.NamedPath("spec."+err.Path, config.Within(document, err.Path))
		lines = append(lines, path+": "+err.Message)
	}
	if more := len(errs) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

// deliveredDocuments reads our ConfigMap. What somebody else put there does not count. What we put there does, even if
// this release would refuse it: gateways serve it.
func deliveredDocuments(seen *view) documents {
	if !seen.ownsChild(render.DocumentsKey(seen.service.Name)) {
		return documents{}
	}
	known := seen.accepted()
	if known == nil {
		return deliveredBefore(seen)
	}
	result := documents{accepted: known.Over(seen.service)}
	if document := seen.documentAt(delivery.LastGoodKey); document.Revision() == known.LastGood {
		result.lastGood = document
	}
	if document := seen.documentAt(delivery.CurrentKey); document.Revision() == known.Current {
		result.current = document.Recorded(known)
		return result
	}
	// Somebody changed it, and what it was is lost. The secrets are known: replacing pods would not help.
	result.current = result.lastGood.Recorded(known)
	return result
}

// deliveredBefore takes over from a release that kept no record of what it accepted.
func deliveredBefore(seen *view) documents {
	var result documents
	if document := seen.documentAt(delivery.CurrentKey); document.Revision() == reportedRevision(seen.service) {
		result.current = document
	}
	if document := seen.documentAt(delivery.LastGoodKey); document.Revision() != "" {
		if _, err := program.Load(document.Encoded); err == nil {
			result.lastGood = document
		}
	}
	return result
}

// accepted is the record next to the delivered config; nil if there is none of ours.
func (v *view) accepted() *render.Accepted {
	if !v.ownsChild(render.DocumentsKey(v.service.Name)) {
		return nil
	}
	return render.ReadAccepted(v.configMap().Annotations)
}

// documentAt is a document of the ConfigMap, no matter who wrote it.
func (v *view) documentAt(key string) render.Document {
	return render.Document{Encoded: []byte(v.configMap().Data[key])}
}

// chooseLastGood keeps what a gateway has proved it can serve. A config that is replaced before any gateway was seen to
// serve it has proved nothing, and neither has one that the operator did not report as its own.
func chooseLastGood(seen *view, delivered documents, current render.Document) render.Document {
	replaced := delivered.current.Revision()
	if replaced == "" || replaced == current.Revision() || replaced != reportedRevision(seen.service) || !seen.wasServed(replaced) {
		return delivered.lastGood
	}
	return delivered.current
}

// wasServed says that a live gateway serves the revision, or that the status recorded one: the gateway may have been replaced
// since, and an operator that just started has read none yet.
func (v *view) wasServed(revision string) bool {
	if known := v.service.Status.Config; known != nil && known.Revision == revision && known.Served {
		return true
	}
	return slices.ContainsFunc(v.load.Pods, func(pod load.PodLoad) bool {
		return !pod.Terminating && pod.Status.Revision == revision
	})
}

func reportedRevision(service *v1alpha1.LLMService) string {
	if service.Status.Config == nil {
		return ""
	}
	return service.Status.Config.Revision
}
