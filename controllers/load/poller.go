package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// step is how often the schedule is looked at.
const step = 50 * time.Millisecond

// Poller asks every tracked pod for its status, once a second, and those that fail less often.
type Poller struct {
	tracker *Tracker
	pods    cache.Cache
	address func(*corev1.Pod) string
	// read is closed when every pod that there was at the start has been asked once.
	read chan struct{}
}

// NewPoller returns a Poller that feeds the tracker: with the pods of the cache, and with what the gateways answer at
// the address of each (see PodAddress).
func NewPoller(tracker *Tracker, pods cache.Cache, address func(*corev1.Pod) string) *Poller {
	return &Poller{tracker: tracker, pods: pods, address: address, read: make(chan struct{})}
}

// NeedLeaderElection says that every manager replica polls: each serves the metrics API.
func (p *Poller) NeedLeaderElection() bool { return false }

// WaitForSync waits until every pod that there was at the start has been asked once. Code that acts on the
// gateways' status needs that: a manager that just started has heard from none, which does not mean that none serves.
func (p *Poller) WaitForSync(ctx context.Context) error {
	select {
	case <-p.read:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the gateways' status: %w", ctx.Err())
	}
}

// Start follows the pods and polls until the context ends, then waits for what is under way.
func (p *Poller) Start(ctx context.Context) error {
	informer, err := p.pods.GetInformer(ctx, &corev1.Pod{})
	if err != nil {
		return fmt.Errorf("follow pods: %w", err)
	}
	registration, err := informer.AddEventHandler(p.tracker)
	if err != nil {
		return fmt.Errorf("follow pods: %w", err)
	}
	defer func() { _ = informer.RemoveEventHandler(registration) }()
	if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return nil // the manager stops
	}
	client := newStatusClient(p.address)
	defer client.close()
	poll(ctx, p.tracker, client.fetch, sync.OnceFunc(func() { close(p.read) }))
	return nil
}

type fetchFunc func(context.Context, *corev1.Pod) (report.Status, error)

// poll asks each pod in its turn until the context ends. It calls heard once all pods of the start were asked, and may
// call it again.
func poll(ctx context.Context, tracker *Tracker, fetch fetchFunc, heard func()) {
	turns := newSchedule()
	turns.follow(tracker.targets(), time.Now())
	var lanes sync.WaitGroup
	defer lanes.Wait()
	for _, of := range []lane{quickLane, slowLane} {
		lanes.Go(func() { pollLane(ctx, of, turns, tracker, fetch) })
	}
	every(ctx, step, func() {
		turns.follow(tracker.targets(), time.Now())
		if turns.heard() {
			heard()
		}
		tracker.dropOldCuts()
	})
}

// pollLane polls the pods of one lane. Another lane that is full does not delay it.
func pollLane(ctx context.Context, of lane, turns *schedule, tracker *Tracker, fetch fetchFunc) {
	var polls errgroup.Group
	polls.SetLimit(of.slots)
	every(ctx, step, func() {
		for full := true; full && ctx.Err() == nil; {
			due := turns.due(of, time.Now())
			for _, target := range due {
				polls.Go(func() error {
					began := time.Now()
					failed := pollOne(ctx, of.timeout, tracker, target, fetch) != nil
					turns.settle(of, target, began, time.Now(), failed)
					return nil
				})
			}
			full = len(due) == of.slots
		}
	})
	_ = polls.Wait() // it has no errors of its own
}

// every calls do now and then again and again, until the context ends.
func every(ctx context.Context, pause time.Duration, do func()) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func pollOne(ctx context.Context, timeout time.Duration, tracker *Tracker, target target, fetch fetchFunc) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	status, err := fetch(ctx, target.pod)
	if err != nil {
		// A pod that starts or ends cannot be read for a while: that is not worth more than a debug line.
		log.FromContext(ctx).V(1).Info("Cannot read a gateway's status", "error", err.Error())
		return err
	}
	tracker.record(target.uid, status)
	return nil
}
