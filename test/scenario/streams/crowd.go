package streams

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// Crowd is a number of clients, each of which holds one stream open and begins another when that one has ended.
type Crowd struct {
	client *http.Client
	call   func(client, round int) Call
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	size    int // clients with a higher number begin no further stream
	running int // clients started so far, less those that went home
	open    int // streams whose first token has come
	tally   Tally
	changed chan struct{}
}

// Gather starts n clients. call makes the request of a client's round, both counted from 0. The clients run until
// [Crowd.Finish], or until ctx ends, which makes them leave their streams.
func Gather(ctx context.Context, client *http.Client, n int, call func(client, round int) Call) *Crowd {
	ctx, stop := context.WithCancel(ctx)
	c := &Crowd{client: client, call: call, stop: stop, size: n, running: n, changed: make(chan struct{})}
	for i := range n {
		c.wg.Go(func() { c.attend(ctx, i) })
	}
	return c
}

func (c *Crowd) attend(ctx context.Context, i int) {
	defer c.change(func() { c.running-- })
	for round := 0; c.wanted(ctx, i); round++ {
		began := false
		result := Stream(ctx, c.client, c.call(i, round), func(string) {
			if !began {
				began = true
				c.change(func() { c.open++ })
			}
		})
		c.change(func() {
			if began {
				c.open--
			}
			c.tally = c.tally.with(result)
		})
	}
}

func (c *Crowd) wanted(ctx context.Context, i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A service that refuses everybody would keep the crowd asking as fast as it can.
	return ctx.Err() == nil && i < c.size && c.tally.Lost() < maxLost
}

// maxLost is where a crowd gives up: the verdict is clear by then.
const maxLost = 500

func (c *Crowd) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// Open is the number of streams that have had their first token and not ended.
func (c *Crowd) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Tally counts the streams that have ended.
func (c *Crowd) Tally() Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tally
}

// Shrink lets all clients but n go home, each when its stream has ended.
func (c *Crowd) Shrink(n int) { c.change(func() { c.size = min(c.size, n) }) }

// AwaitOpen waits until at least n streams are open. It fails when ctx ends first.
func (c *Crowd) AwaitOpen(ctx context.Context, n int) error {
	return c.await(ctx, func() error {
		if c.open < n {
			return fmt.Errorf("%d streams are open, want %d (%s)", c.open, n, c.tally)
		}
		return nil
	})
}

// Finish lets every stream end, begins no more, and returns the count of all. Streams that are open when ctx ends are
// left, and that is an error.
func (c *Crowd) Finish(ctx context.Context) (Tally, error) {
	c.Shrink(0)
	err := c.await(ctx, func() error {
		if c.running > 0 {
			return fmt.Errorf("%d clients still read their streams", c.running)
		}
		return nil
	})
	c.stop()
	c.wg.Wait()
	return c.Tally(), err
}

func (c *Crowd) await(ctx context.Context, ok func() error) error {
	for {
		c.mu.Lock()
		err, changed := ok(), c.changed
		c.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
