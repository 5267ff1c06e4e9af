package upstream

import (
	"context"
	"sync"
)

// dialsAtOnce is how many connections to one address are being opened at once; more wait for their turn, within the bound
// that dialling has. Opening one costs little, but the hundreds that a few requests may ask for in one moment keep each
// worker busy for tens of milliseconds, and the events of all streams wait behind them. Where a connection takes 50 ms, this
// many at once are 640 a second.
const dialsAtOnce = 32

// dials are the connections that are being opened, by address. The zero value is ready to use.
type dials struct {
	mu   sync.Mutex
	open map[string]*opening
}

// opening are those of one address, and those that wait.
type opening struct {
	turns chan struct{}
	users int
}

// begin waits for a turn to open a connection to address; end gives it to another one. The error is that of the context,
// which ended before.
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

// leave forgets an address that nobody opens a connection to, so that addresses which come and go cost nothing.
func (d *dials) leave(address string, o *opening) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.users--; o.users == 0 {
		delete(d.open, address)
	}
}
