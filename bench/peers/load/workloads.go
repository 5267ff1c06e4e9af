package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Whole asks for whole answers, again and again with each of so many clients, for a time. It returns the number of answers.
func (t Target) Whole(ctx context.Context, clients, size int, during time.Duration) (int, error) {
	request := t.Request(Whole, size)
	var all atomic.Int64
	until := time.Now().Add(during)
	group, ctx := errgroup.WithContext(ctx)
	for range clients {
		group.Go(func() error {
			c, err := t.dial(ctx)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			for ctx.Err() == nil && time.Now().Before(until) {
				if _, _, err := c.ask(request); err != nil {
					return err
				}
				all.Add(1)
			}
			return ctx.Err()
		})
	}
	err := group.Wait()
	return int(all.Load()), err
}

// Paced reads paced streams to their end, so many at a time, each client as many as there are waves. The clients begin one
// after the other within the time of a stream. It returns the number of events that the upstream sends for them.
func (t Target) Paced(ctx context.Context, streams, waves int) (int, error) {
	request := t.Request(Paced, 64)
	group, ctx := errgroup.WithContext(ctx)
	for i := range streams {
		group.Go(func() error {
			if err := pause(ctx, time.Duration(i)*Pace*Tokens/time.Duration(streams)); err != nil {
				return err
			}
			c, err := t.dial(ctx)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			for range waves {
				events, _, err := c.ask(request)
				if err != nil {
					return err
				}
				if events < Tokens {
					return fmt.Errorf("a stream ended after %d events, want %d", events, Tokens)
				}
			}
			return nil
		})
	}
	return streams * waves * Tokens, group.Wait()
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Rate asks at a fixed rate a second, for a time, whether or not earlier answers have come. It returns how long each answer
// took, and the first byte of its body, both from when the request was sent; from when it was due, if earlier answers were in
// its way.
func (t Target) Rate(
	ctx context.Context, model string, perSecond int, during time.Duration,
) (whole, first []time.Duration, err error) {
	idle := make(chan *conn, rateClients)
	for range rateClients {
		c, err := t.dial(ctx)
		if err != nil {
			return nil, nil, err
		}
		defer func() { _ = c.Close() }()
		idle <- c
	}
	requests := int(during.Seconds() * float64(perSecond))
	whole, first = make([]time.Duration, requests), make([]time.Duration, requests)
	request := t.Request(model, 64)
	group, ctx := errgroup.WithContext(ctx)
	due := time.Now()
	for i := range requests {
		due = due.Add(time.Second / time.Duration(perSecond))
		begun, err := when(ctx, due, idle)
		if err != nil {
			return nil, nil, errors.Join(group.Wait(), err)
		}
		c := <-idle
		group.Go(func() error {
			sent := time.Now()
			_, head, err := c.ask(request)
			whole[i], first[i] = time.Since(begun), sent.Sub(begun)+head
			idle <- c
			return err
		})
	}
	return whole, first, group.Wait()
}

// rateClients are enough if answers take less than a quarter of a second.
const rateClients = 64

// when waits until a request is due, and returns when its time begins.
func when(ctx context.Context, due time.Time, idle <-chan *conn) (time.Time, error) {
	left := time.Until(due)
	if left <= 0 {
		return due, ctx.Err()
	}
	err := pause(ctx, left)
	if len(idle) == 0 {
		return due, err
	}
	return time.Now(), err // a timer that comes late is not the server's fault
}

// Churn keeps so many connections idle, each of which has had an answer. It opens further ones, which get an answer too, and
// closes the oldest for each. It calls before when the first are open, and returns the number of further ones.
func (t Target) Churn(ctx context.Context, idle int, during time.Duration, before func() error) (n int, err error) {
	request := t.Request(Whole, 64)
	open := make(chan *conn, idle+1)
	defer func() {
		close(open)
		for c := range open {
			_ = c.Close()
		}
	}()
	more := func() error {
		c, err := t.dial(ctx)
		if err != nil {
			return err
		}
		open <- c
		_, _, err = c.ask(request)
		return err
	}
	for range idle {
		if err := more(); err != nil {
			return 0, err
		}
	}
	if err := before(); err != nil {
		return 0, err
	}
	for until := time.Now().Add(during); time.Now().Before(until); n++ {
		if err := errors.Join(ctx.Err(), more()); err != nil {
			return 0, err
		}
		_ = (<-open).Close()
	}
	return n, nil
}

// Hold opens streams that stay silent after their first event, and calls a function while all are open.
func (t Target) Hold(ctx context.Context, streams int, meanwhile func() error) error {
	request := t.Request(Held, 64)
	open := make([]*conn, streams)
	defer func() {
		for _, c := range open {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	opening, ctx := errgroup.WithContext(ctx)
	opening.SetLimit(16)
	for i := range open {
		opening.Go(func() (err error) {
			if open[i], err = t.dial(ctx); err != nil {
				return err
			}
			if _, err := open[i].begin(request); err != nil {
				return err
			}
			_, err = open[i].r.Peek(1)
			return err
		})
	}
	if err := opening.Wait(); err != nil {
		return fmt.Errorf("hold streams: %w", err)
	}
	return meanwhile()
}
