package gather

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"sync"
)

// crew owns the goroutines of a strategy. Everything but the goroutines' work belongs to the strategy's own goroutine.
type crew[T any] struct {
	wg      sync.WaitGroup
	ended   chan end[T]
	results []CallResult[T]
	started int // also the index of the next
	running int
}

type end[T any] struct {
	index  int
	result CallResult[T]
}

func newCrew[T any](n int) *crew[T] {
	return &crew[T]{ended: make(chan end[T], n), results: make([]CallResult[T], n)}
}

func (c *crew[T]) waiting() int { return len(c.results) - c.started }

// start runs the next call, and lets it have this worker at once. Otherwise, if many start together, everything that waits for
// the workers would wait for the beginning of each.
func (c *crew[T]) start(run func() (T, error)) {
	// If a call ends its goroutine, the error stays as it is here.
	e := end[T]{index: c.started, result: CallResult[T]{Err: errExited}}
	c.started++
	c.running++
	c.wg.Go(func() {
		defer func() {
			if value := recover(); value != nil {
				e.result.Err = &PanicError{Type: fmt.Sprintf("%T", value), Stack: debug.Stack()}
			}
			c.ended <- e
		}()
		e.result.Value, e.result.Err = run()
	})
	goruntime.Gosched()
}

// next waits for a call to end, and keeps its result.
func (c *crew[T]) next() end[T] { return c.settle(<-c.ended) }

func (c *crew[T]) settle(e end[T]) end[T] {
	c.running--
	c.results[e.index] = e.result
	return e
}

// finish returns the results, once nothing runs; cause is the error of calls that never started.
func (c *crew[T]) finish(cause error) []CallResult[T] {
	c.wg.Wait()
	for i := c.started; i < len(c.results); i++ {
		c.results[i].Err = cause
	}
	return c.results
}
