// Package claim sees to it that one installation of the operator reconciles a namespace. The managers of one installation elect a
// leader among themselves; two installations know nothing of each other, and would undo each other's writes for ever. So each puts
// its name on Leases that all of them know: on one for the whole cluster, or on one for each namespace that it watches.
package claim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

const (
	// Expiry is after how long without a word another installation takes over: longer than a leader takes to follow
	// another of its own installation, by this process' clock alone.
	Expiry = time.Minute
	// renewals is how often the installation that reconciles says within that time that it is there.
	renewals = 6
	// tolerance is the part of that time for which a claim holds that cannot be renewed.
	tolerance = 2
)

var standby = promauto.With(metrics.Registry).NewGauge(prometheus.GaugeOpts{
	Name: "llmservice_operator_standby",
	Help: "1 while another installation of the operator reconciles what this one would, and this one stands by.",
})

// Competitor is an installation that wants to reconcile.
type Competitor struct {
	// Installation is its NAMESPACE/NAME.
	Installation string
	// Expiry is that of all claims.
	Expiry time.Duration
	Log    logr.Logger
	// StaysOut is called once for each other installation that is found to reconcile; nil for not at all.
	StaysOut func(context.Context, *HeldError)
}

// Claim is one installation's part in the competition. It is safe for concurrent use.
type Claim struct {
	Competitor

	client client.Client
	scope  Scope

	mu sync.Mutex
	// renewed is when this process last renewed the claim; zero while it is not ours.
	renewed time.Time
	// seen has each Lease that another installation's name was on when this process last looked, and since when it is so.
	seen map[string]sighting
	// held is the reason why this installation stands by; nil while it does not.
	held *HeldError
}

// sighting is a Lease as another installation left it.
type sighting struct {
	holder, version string
	since           time.Time
}

// HeldError says that another installation reconciles the cluster, or one of the namespaces.
type HeldError struct {
	Holder string
	// Namespace is the one that it reconciles; empty for the whole cluster.
	Namespace string
	// Expiry is how long after it has gone another takes over.
	Expiry time.Duration
}

func (e *HeldError) Error() string {
	what := "this cluster"
	if e.Namespace != "" {
		what = "namespace " + e.Namespace
	}
	const text = "the installation %s reconciles %s; this one stands by, and takes over %v after the other one is gone"
	return fmt.Sprintf(text, e.Holder, what, e.Expiry)
}

// New returns the competitor's claim to the scope.
func New(c client.Client, scope Scope, of Competitor) *Claim {
	return &Claim{Competitor: of, client: c, scope: scope}
}

// Ready is a health check: it fails while another installation reconciles.
func (c *Claim) Ready(*http.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != nil {
		return c.held
	}
	return nil
}

// Hold makes the claim ours or keeps it so. It fails with a HeldError while it is another installation's.
func (c *Claim) Hold(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.renewed.IsZero() && now.Sub(c.renewed) < c.Expiry/renewals {
		return nil
	}
	err := c.take(ctx, now)
	held, ok := errors.AsType[*HeldError](err)
	switch {
	case ok:
		c.standBy(ctx, held)
	case err == nil:
		c.renewed, c.held = now, nil
		standby.Set(0)
	case !c.renewed.IsZero() && now.Sub(c.renewed) < c.Expiry/tolerance:
		return nil
	}
	return err
}

// standBy reports each other installation once.
func (c *Claim) standBy(ctx context.Context, held *HeldError) {
	another := c.held == nil || c.held.Holder != held.Holder
	c.renewed, c.held = time.Time{}, held
	standby.Set(1)
	if !another {
		return
	}
	c.Log.Info("Another installation reconciles; standing by", "installation", held.Holder, "namespace", held.Namespace)
	if c.StaysOut != nil {
		c.StaysOut(ctx, held)
	}
}

// take writes nothing before it has seen that nobody else has any part of the scope. An installation with another scope has other
// Leases, so that both may have looked before either wrote: then both find it out after they wrote, and take their names off.
func (c *Claim) take(ctx context.Context, now time.Time) error {
	own, err := c.look(ctx, now)
	if err != nil {
		return err
	}
	// Replicas before this one may have been silent for so long that another installation has begun.
	entered := c.renewed.IsZero() || now.Sub(c.renewed) >= c.Expiry/tolerance
	for _, lease := range own {
		if err := c.write(ctx, lease, now); err != nil {
			return err
		}
	}
	if !entered {
		return nil
	}
	if _, err := c.look(ctx, now); err != nil {
		return errors.Join(err, c.withdraw(ctx, own))
	}
	return nil
}

// look reads all Leases that matter. It returns our own, or an error if another installation holds one of them.
func (c *Claim) look(ctx context.Context, now time.Time) ([]*coordinationv1.Lease, error) {
	own, others, err := c.scope.read(ctx, c.client)
	if err != nil {
		return nil, err
	}
	before := c.seen
	c.seen = map[string]sighting{}
	var held *HeldError
	for _, lease := range slices.Concat(own, others) {
		if holder := holderOf(lease); c.isForeign(lease, before[lease.Name], now) && held == nil {
			held = &HeldError{Holder: holder, Namespace: namespaceOf(lease.Name), Expiry: c.Expiry}
		}
	}
	if held != nil {
		return nil, held
	}
	return own, nil
}

// isForeign reports whether another installation holds the Lease and was heard of lately. Only what this process saw counts: clocks
// differ.
func (c *Claim) isForeign(lease *coordinationv1.Lease, before sighting, now time.Time) bool {
	holder := holderOf(lease)
	if holder == "" || holder == c.Installation {
		return false
	}
	seen := sighting{holder, lease.ResourceVersion, now}
	if before.holder == seen.holder && before.version == seen.version {
		seen.since = before.since
	}
	c.seen[lease.Name] = seen
	return now.Sub(seen.since) < c.Expiry
}
