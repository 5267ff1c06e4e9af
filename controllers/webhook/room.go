package webhook

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxReviews is how many reviews are in memory at the same time, half of them of one namespace.
	maxReviews = 4
	// maxWaiting is how many more may wait for their turn, half of them of one namespace. Of their bodies, only the head was read.
	maxWaiting = 64
	// defaultTimeout and longestTimeout are Kubernetes' own for webhooks.
	defaultTimeout, longestTimeout = 10 * time.Second, 30 * time.Second
	// reserve is how much of the API server's timeout is left for the answer to arrive: a quarter, but at most this.
	reserve = time.Second
)

var (
	errBusy = errors.New("too many LLMServices are being applied")
	errSlow = errors.New("the checks of other LLMServices take too long")
)

// room bounds the reviews that are in memory, and shares it out among namespaces.
type room struct {
	mu sync.Mutex
	// all is what all namespaces have together.
	all share
	of  map[string]*share
	// left is closed when a place becomes free.
	left chan struct{}
}

// share is how many reviews have a place, and how many wait for one.
type share struct{ held, waiting int }

func newRoom() *room { return &room{of: map[string]*share{}, left: make(chan struct{})} }

// enter takes a place, which leave gives back, as soon as there is one.
func (r *room) enter(ctx context.Context, namespace string) error {
	if !r.wait(namespace) {
		return errBusy
	}
	for !late(ctx) {
		left, entered := r.try(namespace)
		if entered {
			return nil
		}
		select {
		case <-left:
		case <-ctx.Done():
		}
	}
	r.change(namespace, 0, -1)
	return errSlow
}

// late reports whether the time is up. A place that comes with the deadline is of no use, whether its timer was first or not.
func late(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && time.Until(deadline) <= 0
}

// wait counts one more who waits, unless too many do.
func (r *room) wait(namespace string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.of[namespace]
	if r.all.waiting >= maxWaiting || own != nil && own.waiting >= maxWaiting/2 {
		return false
	}
	r.add(namespace, 0, 1)
	return true
}

// try takes a place if there is one; otherwise it returns what to wait for.
func (r *room) try(namespace string) (left <-chan struct{}, entered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all.held >= maxReviews || r.of[namespace].held >= maxReviews/2 {
		return r.left, false
	}
	r.add(namespace, 1, -1)
	return nil, true
}

func (r *room) leave(namespace string) { r.change(namespace, -1, 0) }

func (r *room) change(namespace string, held, waiting int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(namespace, held, waiting)
	close(r.left)
	r.left = make(chan struct{})
}

// add needs the lock. Namespaces without a review are forgotten.
func (r *room) add(namespace string, held, waiting int) {
	own := r.of[namespace]
	if own == nil {
		own = &share{}
		r.of[namespace] = own
	}
	for _, s := range []*share{own, &r.all} {
		s.held += held
		s.waiting += waiting
	}
	if *own == (share{}) {
		delete(r.of, namespace)
	}
}

// answerWithin is how long an answer may take. The API server says with each question how long it waits, as in "5s".
func answerWithin(timeout string) time.Duration {
	limit, err := time.ParseDuration(timeout)
	if err != nil || limit <= 0 {
		limit = defaultTimeout
	}
	limit = min(limit, longestTimeout)
	return limit - min(limit/4, reserve)
}
