package upstream

import (
	"context"
	"sync"
)

// dialsAtOnce is how many connections to one address are opened at the same time; others wait for their turn, within the bound
// of dialling. One costs little, but the hundreds that a few requests may ask for at once keep each worker busy for tens of
// milliseconds, while the events of all streams wait. If a connection takes 50 ms, this limit allows 640 a second.
const dialsAtOnce = 32

// dials are the connections that are being opened, by address. The zero value is ready to use.
type dials struct {
	mu   sync.Mutex
	open map[string]*opening
}

// opening are the connections to one address that are being opened, and those that wait.
type opening struct {
	turns chan struct{}
	users int
}

// begin waits for a turn to open a connection to address; end gives the turn to another. The error is that of the context, if
// it ended first.
func (d *dials) begin(ctx context.Context, address string) (end func(), err error) {
	o := d.enter(address)
	select {
	case o.turns <- struct{}{}:
		return func() { <-o.turns; d.leave(address, o) }, nil
	case <-ctx.Done():
		d.leave(address, o)
		return nil, ctx.Err() //nolint:wrapcheck // the caller's own
	}
}

func (d *dials) enter(address string) *opening {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, ok := d.open[address]
	if !ok {
		o = &opening{turns: make(chan struct{}, dialsAtOnce)}
		if d.open == nil {
			d.open = map[string]*opening{}
		}
		d.open[address] = o
	}
	o.users++
	return o
}

// leave forgets an address to which no connection is being opened, so that addresses that come and go take no memory.
func (d *dials) leave(address string, o *opening) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.users--; o.users == 0 {
		delete(d.open, address)
	}
}
