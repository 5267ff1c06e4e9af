package controllers

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
)

const (
	// maxCompiles is how many specs are compiled at once, of which each namespace has one: it bounds the memory that specs
	// take, and leaves most workers to services whose spec is known.
	maxCompiles = 3
	// compileDeadline is how long a spec may take. Most take milliseconds.
	compileDeadline = 10 * time.Second
	// compileRest is how many times as long as its last spec took a namespace waits for the next, so that one that sends
	// expensive specs all the time has a fifth of a processor, and never waits longer than maxRest.
	compileRest = 4
	maxRest     = time.Minute
	// restless is how long a spec may take without a rest after it.
	restless = 100 * time.Millisecond
	// busyRecheck is how soon a spec that found no room is looked at again.
	busyRecheck = 50 * time.Millisecond
)

// compiles shares out the compiling of specs among namespaces. Its zero value is ready.
type compiles struct {
	// validate is program.ValidateWithin if it is nil, as it is but in tests.
	validate func(context.Context, *config.Config) (config.Errors, error)
	// most is how many specs are compiled at once; maxCompiles if it is zero.
	most int

	mu         sync.Mutex
	running    int
	namespaces map[string]*turn
}

// turn is what one namespace has of the compiling.
type turn struct {
	running bool
	// next is when it may compile again.
	next time.Time
}

// run compiles in the background, in the room that enter gave: the channel gives the problem, nil for none, and the room is
// free again when it does, whether or not anybody waits for it. The compiler ends with the context, or with its deadline.
func (c *compiles) run(ctx context.Context, namespace string, contract *config.Config, log logr.Logger) <-chan *problem {
	result := make(chan *problem, 1)
	go func() {
		began := time.Now()
		problem := c.compileSafely(ctx, contract, log)
		c.leave(namespace, time.Since(began))
		result <- problem
	}()
	return result
}

// enter takes room for one spec of the namespace, which leave gives back. If there is none, it returns how soon to ask again.
func (c *compiles) enter(namespace string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.namespaces == nil {
		c.namespaces = map[string]*turn{}
	}
	now := time.Now()
	for name, known := range c.namespaces {
		if !known.running && !known.next.After(now) {
			delete(c.namespaces, name)
		}
	}
	known := c.namespaces[namespace]
	switch {
	case known != nil && known.running, c.running >= cmp.Or(c.most, maxCompiles):
		return busyRecheck
	case known != nil:
		return known.next.Sub(now)
	}
	c.namespaces[namespace] = &turn{running: true}
	c.running++
	return 0
}

func (c *compiles) leave(namespace string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	known := c.namespaces[namespace]
	known.running = false
	if took > restless {
		known.next = time.Now().Add(min(compileRest*took, maxRest))
	}
}

// compileSafely survives a panic of the compiler: it must cost one service its change, and not all services their operator.
func (c *compiles) compileSafely(ctx context.Context, contract *config.Config, log logr.Logger) (result *problem) {
	defer func() {
		if cause := recover(); cause != nil {
			// What it says may be of the spec, which has prompts.
			log.Error(fmt.Errorf("panic of type %T", cause), "A spec cannot be compiled", "stack", string(debug.Stack()))
			result = &problem{v1alpha1.ReasonInvalid, "spec: the compiler failed; the operator's log says where"}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, compileDeadline)
	defer cancel()
	validate := c.validate
	if validate == nil {
		validate = program.ValidateWithin
	}
	errs, err := validate(ctx, contract)
	if err != nil {
		return tooSlow()
	}
	return invalidSpec(contract, errs)
}

func tooSlow() *problem {
	return &problem{v1alpha1.ReasonTooSlow, fmt.Sprintf("spec: takes more than %v to compile", compileDeadline)}
}

// invalidSpec says what is wrong with a config; nil for nothing.
func invalidSpec(c *config.Config, errs config.Errors) *problem {
	if len(errs) == 0 {
		return nil
	}
	return &problem{v1alpha1.ReasonInvalid, describe(c, errs)}
}
