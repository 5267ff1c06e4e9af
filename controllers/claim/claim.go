// Package claim sees to it that one installation of the operator reconciles a cluster. The managers of one installation elect a
// leader among themselves; two installations know nothing of each other, and would undo each other's writes for ever.
package claim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// LeaseName is the Lease that installations compete for. It is the same for all of them.
const LeaseName = "llmservice-operator"

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
	Help: "1 while another installation of the operator reconciles this cluster and this one stands by.",
})

// Competitor is an installation that wants to reconcile.
type Competitor struct {
	// Installation is its NAMESPACE/NAME.
	Installation string
	// Expiry is that of all claims to the Lease.
	Expiry time.Duration
	Log    logr.Logger
	// StaysOut is called once for each other installation that is found to reconcile; nil for not at all.
	StaysOut func(context.Context, *HeldError)
}

// Claim is one installation's part in the competition. It is safe for concurrent use.
type Claim struct {
	Competitor

	client client.Client
	key    client.ObjectKey

	mu sync.Mutex
	// renewed is when this process last renewed the claim; zero while it is not ours.
	renewed time.Time
	// foreign is the Lease as another installation left it, and since when it is so.
	foreign heldByOther
	since   time.Time
}

type heldByOther struct{ holder, version string }

// HeldError says that another installation reconciles the cluster.
type HeldError struct {
	Holder string
	// Expiry is how long after it has gone another takes over.
	Expiry time.Duration
}

func (e *HeldError) Error() string {
	const text = "the installation %s reconciles this cluster; this one stands by, and takes over %v after the other one is gone"
	return fmt.Sprintf(text, e.Holder, e.Expiry)
}

// New returns the competitor's claim to the Lease in the namespace.
func New(c client.Client, namespace string, of Competitor) *Claim {
	return &Claim{Competitor: of, client: c, key: client.ObjectKey{Namespace: namespace, Name: LeaseName}}
}

// Ready is a health check: it fails while another installation reconciles.
func (c *Claim) Ready(*http.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.foreign.holder != "" {
		return &HeldError{c.foreign.holder, c.Expiry}
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
	_, held := errors.AsType[*HeldError](err)
	if err != nil && !held && !c.renewed.IsZero() && now.Sub(c.renewed) < c.Expiry/tolerance {
		return nil
	}
	return err
}

func (c *Claim) take(ctx context.Context, now time.Time) error {
	var lease coordinationv1.Lease
	err := c.client.Get(ctx, c.key, &lease)
	switch {
	case apierrors.IsNotFound(err):
		lease.Namespace, lease.Name = c.key.Namespace, c.key.Name
		return c.write(&lease, now, func() error { return c.client.Create(ctx, &lease) })
	case err != nil:
		return fmt.Errorf("read Lease %s: %w", c.key, err)
	}
	if other := holderOf(&lease); other != c.Installation && other != "" && !c.expired(ctx, &lease, now) {
		c.renewed = time.Time{}
		return &HeldError{other, c.Expiry}
	}
	return c.write(&lease, now, func() error { return c.client.Update(ctx, &lease) })
}

// expired says that another installation has not been heard of for too long. Only what this process saw counts: clocks differ.
func (c *Claim) expired(ctx context.Context, lease *coordinationv1.Lease, now time.Time) bool {
	seen := heldByOther{holderOf(lease), lease.ResourceVersion}
	if seen == c.foreign {
		return now.Sub(c.since) >= c.Expiry
	}
	another := seen.holder != c.foreign.holder
	c.foreign, c.since = seen, now
	standby.Set(1)
	if another {
		c.Log.Info("Another installation reconciles this cluster; standing by", "installation", seen.holder)
		if c.StaysOut != nil {
			c.StaysOut(ctx, &HeldError{seen.holder, c.Expiry})
		}
	}
	return false
}

// write puts our name on the Lease. It carries the version that was read, so that of two that take over one does.
func (c *Claim) write(lease *coordinationv1.Lease, now time.Time, send func() error) error {
	at := metav1.NewMicroTime(now)
	if holderOf(lease) != c.Installation {
		lease.Spec.AcquireTime = &at
	}
	lease.Spec.HolderIdentity, lease.Spec.RenewTime = &c.Installation, &at
	lease.Spec.LeaseDurationSeconds = new(int32(c.Expiry / time.Second)) //nolint:gosec // a minute, or seconds in tests
	if err := send(); err != nil {
		return fmt.Errorf("write Lease %s: %w", c.key, err)
	}
	c.renewed, c.foreign = now, heldByOther{}
	standby.Set(0)
	return nil
}

func holderOf(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
