package load

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/llmservice/llmservice/runtime/config"
)

const (
	// interval is the age that a load figure may reach while all is well.
	interval = time.Second
	// timeout ends a poll within its interval, so that a pod that hangs never delays the next round.
	timeout = 800 * time.Millisecond
	// concurrency bounds the polls under way at once.
	concurrency = 64
)

// Poller asks every tracked pod for its status, once a second.
type Poller struct {
	tracker *Tracker
	pods    cache.Cache
	address func(*corev1.Pod) string
}

// NewPoller returns a Poller that feeds the tracker: with the pods of the cache, and with what the gateways answer at
// the address of each (see PodAddress).
func NewPoller(tracker *Tracker, pods cache.Cache, address func(*corev1.Pod) string) *Poller {
	return &Poller{tracker: tracker, pods: pods, address: address}
}

// NeedLeaderElection says that every manager replica polls: each serves the metrics API.
func (p *Poller) NeedLeaderElection() bool { return false }

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
	client := newStatusClient(p.address)
	defer client.close()
	poll(ctx, p.tracker, client.fetch)
	return nil
}

type fetchFunc func(context.Context, *corev1.Pod) (config.Status, error)

func poll(ctx context.Context, tracker *Tracker, fetch fetchFunc) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		pollAll(ctx, tracker, fetch)
		tracker.dropOldCuts()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func pollAll(ctx context.Context, tracker *Tracker, fetch fetchFunc) {
	var polls errgroup.Group
	polls.SetLimit(concurrency)
	for _, target := range tracker.targets() {
		polls.Go(func() error {
			pollOne(ctx, tracker, target, fetch)
			return nil
		})
	}
	_ = polls.Wait()
}

func pollOne(ctx context.Context, tracker *Tracker, target target, fetch fetchFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	status, err := fetch(ctx, target.pod)
	if err != nil {
		// A pod that starts or ends cannot be read for a while: that is no event worth more than a debug line.
		log.FromContext(ctx).V(1).Info("Cannot read a gateway's status", "error", err.Error())
		return
	}
	tracker.record(target.uid, status)
}
