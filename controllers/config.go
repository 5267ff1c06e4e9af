package controllers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
)

// maxFieldErrors bounds how many errors a message lists: the rest is found once these are mended.
const maxFieldErrors = 8

// documents are the configs to deliver. Their zero value stands for none: there has been no valid config yet.
type documents struct {
	current, lastGood render.Document
	// problem is set where the spec cannot be served; the documents are then those that are delivered already.
	problem *problem
}

// problem says why a spec cannot be served.
type problem struct{ reason, message string }

// chooseDocuments takes the spec's config where it is valid, and what is delivered already otherwise.
func chooseDocuments(seen *view) documents {
	delivered := deliveredDocuments(seen)
	encoded, decoded, problem := configOf(seen.service)
	if problem != nil {
		delivered.problem = problem
		return delivered
	}
	current := render.Document{Encoded: encoded, Config: decoded}
	return documents{current: current, lastGood: chooseLastGood(seen, delivered, current)}
}

func configOf(service *v1alpha1.LLMService) ([]byte, *config.Config, *problem) {
	contract, err := render.Contract(service)
	if err != nil {
		return nil, nil, &problem{v1alpha1.ReasonInvalid, err.Error()}
	}
	if errs := config.Validate(contract); len(errs) > 0 {
		return nil, nil, &problem{v1alpha1.ReasonInvalid, describe(errs)}
	}
	encoded, err := config.Encode(contract)
	if tooLarge, ok := errors.AsType[*config.TooLargeError](err); ok {
		return nil, nil, &problem{v1alpha1.ReasonTooLarge, "spec: " + tooLarge.Error()}
	}
	if err != nil {
		return nil, nil, &problem{v1alpha1.ReasonInvalid, "spec: " + err.Error()}
	}
	return encoded, contract, nil
}

// describe names the fields of the LLMService: they have the contract's paths, below spec.
func describe(errs config.Errors) string {
	var lines []string
	for _, err := range errs[:min(len(errs), maxFieldErrors)] {
		lines = append(lines, fmt.Sprintf("spec.%s: %s", err.Path, err.Message))
	}
	if more := len(errs) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

// deliveredDocuments reads our ConfigMap. What somebody put there that no gateway could load does not count.
func deliveredDocuments(seen *view) documents {
	if seen.configMap == nil || !seen.owns(seen.configMap) {
		return documents{}
	}
	current := loadDocument(seen.configMap.Data[config.CurrentKey])
	lastGood := loadDocument(seen.configMap.Data[config.LastGoodKey])
	if current.Config == nil {
		current = lastGood
	}
	return documents{current: current, lastGood: lastGood}
}

func loadDocument(encoded string) render.Document {
	decoded, err := config.Load([]byte(encoded))
	if err != nil {
		return render.Document{}
	}
	return render.Document{Encoded: []byte(encoded), Config: decoded.Config}
}

// chooseLastGood keeps what a gateway has proved it can serve. A config that is replaced before any live gateway served
// it has proved nothing, and neither has one that the operator did not report as its own.
func chooseLastGood(seen *view, delivered documents, current render.Document) render.Document {
	replaced := revisionOf(delivered.current)
	if replaced == "" || replaced == revisionOf(current) || replaced != reportedRevision(seen.service) {
		return delivered.lastGood
	}
	for _, pod := range seen.load.Pods {
		if !pod.Terminating && pod.Status.Revision == replaced {
			return delivered.current
		}
	}
	return delivered.lastGood
}

func reportedRevision(service *v1alpha1.LLMService) string {
	if service.Status.Config == nil {
		return ""
	}
	return service.Status.Config.Revision
}

// revisionOf names a document; empty for none.
func revisionOf(document render.Document) string {
	if document.Config == nil {
		return ""
	}
	return config.Revision(document.Encoded)
}
