package gather

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"sync"
)

// crew owns the goroutines of a strategy. All but what the goroutines run belongs to the strategy's own goroutine.
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

// start runs the next call, and lets it have this worker at once: many that start together would have all that wait for
// the workers wait for the beginning of each.
func (c *crew[T]) start(run func() (T, error)) {
	// A call that ends its goroutine leaves the error as it is here.
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

// next waits for a call to end, and keeps what came of it.
func (c *crew[T]) next() end[T] { return c.settle(<-c.ended) }

func (c *crew[T]) settle(e end[T]) end[T] {
	c.running--
	c.results[e.index] = e.result
	return e
}

// finish gives the results, once nothing runs; cause is that of the calls which never started.
func (c *crew[T]) finish(cause error) []CallResult[T] {
	c.wg.Wait()
	for i := c.started; i < len(c.results); i++ {
		c.results[i].Err = cause
	}
	return c.results
}
