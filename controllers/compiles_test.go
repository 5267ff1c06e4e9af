package controllers

import (
	"testing"
	"time"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// A spec that takes too long gives back its room, and is not valid.
func TestACompilerEndsWithItsTime(t *testing.T) {
	contract, err := render.Contract(serviceWith("http://a.svc/v1"))
	if err != nil {
		t.Fatal(err)
	}
	if problem := compileWithin(0, contract); problem == nil || problem.reason != v1alpha1.ReasonTooSlow {
		t.Errorf("%+v, want %s", problem, v1alpha1.ReasonTooSlow)
	}
	if problem := compileWithin(time.Minute, contract); problem != nil {
		t.Errorf("with time: %+v", problem)
	}
}
