package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llmservice/llmservice/bench/bed"
	"github.com/llmservice/llmservice/bench/peers/load"
	"github.com/llmservice/llmservice/bench/peers/report"
)

// sizes are those of the bodies of whole answers.
var sizes = []struct {
	bytes  int
	metric report.Metric
}{{64, report.Unary64}, {8 << 10, report.Unary8K}, {128 << 10, report.Unary128K}}

// turn is a peer's turn in a round.
type turn struct {
	*bench

	peer   *peer
	row    *report.Row
	server *bed.Server
	target load.Target
	round  int
}

// turn measures a peer in two processes, one after the other: the memory of held streams in one that has done little else. A
// quick run has one for both, because some take long to start.
func (b *bench) turn(ctx context.Context, p *peer, row *report.Row, round int) error {
	fmt.Fprintf(b.progress, "%d/%d %s\n", round+1, b.settings.rounds, p.name)
	t := &turn{bench: b, peer: p, row: row, round: round}
	if b.settings.quick {
		return t.process(ctx, func(ctx context.Context) error { return errors.Join(t.loaded(ctx), t.held(ctx)) })
	}
	return errors.Join(t.process(ctx, t.loaded), t.process(ctx, t.held))
}

// process starts the peer, measures, and ends it.
func (t *turn) process(ctx context.Context, measure func(context.Context) error) error {
	server, target, took, err := t.start(ctx, t.peer)
	if err != nil {
		return err
	}
	defer server.Close()
	t.server, t.target = server, target
	t.row.Add(report.Start, milliseconds(took))
	return measure(ctx)
}

func (t *turn) loaded(ctx context.Context) error {
	if err := waited(ctx, t.settings.rest); err != nil {
		return err
	}
	rest, err := bed.Resident(t.server.Pid())
	if err != nil {
		return err
	}
	t.row.Add(report.Rest, rest/1024)
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"warming up", t.warm},
		{"whole", t.whole},
		{"steady", t.steady},
		{"paced", t.paced},
		{"latency", t.latency},
		{"churn", t.churn},
	} {
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// waited waits, unless ctx ends before.
func waited(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// share is a count that a slow peer has a part of.
func (t *turn) share(n int) int { return max(1, n/max(1, t.peer.slow)) }

func (t *turn) warm(ctx context.Context) error {
	during := t.settings.warm * time.Duration(max(1, t.peer.warm))
	for _, size := range sizes {
		if _, err := t.target.Whole(ctx, t.settings.clients, size.bytes, during/time.Duration(len(sizes))); err != nil {
			return err
		}
	}
	_, err := t.target.Paced(ctx, t.share(t.settings.streams), 1)
	return err
}

// spent measures the processor time of the server for each of what a function counts.
func (t *turn) spent(metric report.Metric, do func() (int, error)) error {
	meter, err := bed.NewMeter(t.server.Pid())
	if err != nil {
		return err
	}
	n, err := do()
	if err != nil {
		return err
	}
	took, err := meter.Spent()
	if err != nil {
		return err
	}
	t.row.Add(metric, microseconds(took)/float64(n))
	return nil
}

func (t *turn) whole(ctx context.Context) error {
	for _, size := range sizes {
		err := t.profiled(ctx, size.metric.Key, func() error {
			return t.spent(size.metric, func() (int, error) {
				return t.target.Whole(ctx, t.settings.clients, size.bytes, t.settings.unary)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// steadyShare is how busy a peer may be at a steady rate, of its core: one that cannot keep up would be as busy as with whole
// answers one after the other.
const steadyShare = 0.8

// steady measures at the same rate for all, at which each finds the clients and the model waiting: to wake them is part of what an
// answer takes then, whereas a fast peer never has to as long as it gets all the requests that it can take.
func (t *turn) steady(ctx context.Context) error {
	if t.row.Figure(report.Unary64)*float64(t.settings.steady) > steadyShare*microseconds(time.Second) {
		return nil
	}
	return t.spent(report.Steady, func() (int, error) {
		whole, _, err := t.target.Rate(ctx, load.Whole, t.settings.steady, t.settings.unary)
		return len(whole), err
	})
}

func (t *turn) paced(ctx context.Context) error {
	return t.profiled(ctx, "event", func() error {
		return t.spent(report.Event, func() (int, error) {
			return t.target.Paced(ctx, t.share(t.settings.streams), t.settings.waves)
		})
	})
}

// direct is what answers take without a server in between.
type direct struct{ p50, p99 time.Duration }

func (b *bench) measureDirect(ctx context.Context, row *report.Row) error {
	to := load.Target{Address: b.upstream.Address()}
	for range 2 { // the first warms up
		whole, _, err := to.Rate(ctx, load.Whole, b.settings.rate, b.settings.latency)
		if err != nil {
			return fmt.Errorf("without a server in between: %w", err)
		}
		b.direct = direct{p50: bed.Percentile(whole, 50), p99: bed.Percentile(whole, 99)}
	}
	_, first, err := to.Rate(ctx, load.Brief, b.settings.rate, b.settings.latency/2)
	if err != nil {
		return fmt.Errorf("without a server in between: %w", err)
	}
	row.Add(report.First50, microseconds(bed.Percentile(first, 50)))
	row.Add(report.First99, microseconds(bed.Percentile(first, 99)))
	return nil
}

func (t *turn) latency(ctx context.Context) error {
	rate := t.share(t.settings.rate)
	whole, _, err := t.target.Rate(ctx, load.Whole, rate, t.settings.latency)
	if err != nil {
		return err
	}
	_, first, err := t.target.Rate(ctx, load.Brief, rate, t.settings.latency/2)
	if err != nil {
		return err
	}
	t.row.Add(report.P50, microseconds(bed.Percentile(whole, 50)-t.direct.p50))
	t.row.Add(report.P99, microseconds(bed.Percentile(whole, 99)-t.direct.p99))
	t.row.Add(report.First50, microseconds(bed.Percentile(first, 50)))
	t.row.Add(report.First99, microseconds(bed.Percentile(first, 99)))
	return nil
}

func (t *turn) churn(ctx context.Context) error {
	var meter *bed.Meter
	n, err := t.target.Churn(ctx, t.settings.idle, t.settings.churn, func() (err error) {
		meter, err = bed.NewMeter(t.server.Pid())
		return err
	})
	if err != nil {
		return err
	}
	took, err := meter.Spent()
	if err != nil {
		return err
	}
	t.row.Add(report.Churn, microseconds(took)/float64(n))
	return nil
}

func (t *turn) held(ctx context.Context) error {
	if _, err := t.target.Paced(ctx, t.share(t.settings.streams)/4+1, 1); err != nil { // so that what is loaded once is there
		return fmt.Errorf("held: %w", err)
	}
	before, err := bed.Resident(t.server.Pid())
	if err != nil {
		return err
	}
	n := t.share(t.settings.held)
	return t.target.Hold(ctx, n, func() error {
		after, err := bed.Resident(t.server.Pid())
		if err != nil {
			return err
		}
		if open := t.upstream.Held(); open != n {
			return fmt.Errorf("%d streams are open at the model, want %d", open, n)
		}
		t.row.Add(report.Stream, (after-before)/float64(n))
		return nil
	})
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
