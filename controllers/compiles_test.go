package controllers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
)

// A spec that takes too long gives back its room, and is not valid.
func TestACompilerEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := compiles{validate: func(ctx context.Context, _ *config.Config) (config.Errors, error) {
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
			}
			return nil, ctx.Err()
		}}
		problem := c.compileSafely(t.Context(), nil, logr.Discard())
		if problem == nil || problem.reason != v1alpha1.ReasonTooSlow || time.Since(began) != compileDeadline {
			t.Errorf("%+v after %v, want %s after %v", problem, time.Since(began), v1alpha1.ReasonTooSlow, compileDeadline)
		}
	})
}

// What is compiled is what gateways compile, if nothing else is said.
func TestACompilerIsTheGateways(t *testing.T) {
	contract, err := render.Contract(serviceWith("http://a.svc/v1"))
	if err != nil {
		t.Fatal(err)
	}
	var c compiles
	if problem := c.compileSafely(t.Context(), contract, logr.Discard()); problem != nil {
		t.Errorf("a valid one: %+v", problem)
	}
	contract.Upstreams = nil
	if problem := c.compileSafely(t.Context(), contract, logr.Discard()); problem == nil || problem.reason != v1alpha1.ReasonInvalid {
		t.Errorf("one without its upstream: %+v", problem)
	}
	c.validate = func(context.Context, *config.Config) (config.Errors, error) {
		return config.Errors{{Path: "x", Message: "is wrong"}}, errors.New("ended")
	}
	if problem := c.compileSafely(t.Context(), contract, logr.Discard()); problem == nil || problem.reason != v1alpha1.ReasonTooSlow {
		t.Errorf("one that ended early says nothing of the config: %+v", problem)
	}
}

// A namespace rests four times as long as its last spec took, at most a minute, and not at all after one that took 100 ms.
func TestHowLongANamespaceRests(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		100 * time.Millisecond: 0,
		101 * time.Millisecond: 404 * time.Millisecond,
		10 * time.Second:       40 * time.Second,
		20 * time.Second:       time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			var c compiles
			if wait := c.enter("a"); wait != 0 {
				t.Fatalf("the first has to wait %v", wait)
			}
			c.leave("a", took)
			if got := c.enter("a"); got != want {
				t.Errorf("after a spec that took %v the next waits %v, want %v", took, got, want)
			}
		})
	}
}
