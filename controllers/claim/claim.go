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
	// renewEvery is how often the installation that reconciles says that it is there.
	renewEvery = 10 * time.Second
	// expiry is after how long without a word another installation takes over: longer than a leader takes to follow
	// another of its own installation, by this process' clock alone.
	expiry = time.Minute
	// tolerance is how long a claim holds that cannot be renewed: well below expiry.
	tolerance = expiry / 2
)

var standby = promauto.With(metrics.Registry).NewGauge(prometheus.GaugeOpts{
	Name: "llmservice_operator_standby",
	Help: "1 while another installation of the operator reconciles this cluster, and this one stays out.",
})

// Claim is one installation's part in the competition. It is safe for concurrent use.
type Claim struct {
	client client.Client
	key    client.ObjectKey
	holder string
	log    logr.Logger

	mu sync.Mutex
	// renewed is when this process last renewed the claim; zero while it is not ours.
	renewed time.Time
	// foreign is the Lease as another installation left it, and since when it is so.
	foreign heldByOther
	since   time.Time
}

type heldByOther struct{ holder, version string }

// HeldError says that another installation reconciles the cluster.
type HeldError struct{ Holder string }

func (e *HeldError) Error() string {
	return fmt.Sprintf("the installation %s reconciles this cluster; this one stays out, and takes over %v after that one has gone",
		e.Holder, expiry)
}

// New returns the claim of the installation holder, NAMESPACE/NAME, to the Lease in the namespace.
func New(c client.Client, namespace, holder string, log logr.Logger) *Claim {
	return &Claim{client: c, key: client.ObjectKey{Namespace: namespace, Name: LeaseName}, holder: holder, log: log}
}

// Ready is a health check: it fails while another installation reconciles.
func (c *Claim) Ready(*http.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.foreign.holder != "" {
		return &HeldError{c.foreign.holder}
	}
	return nil
}

// Hold makes the claim ours or keeps it so. It fails with a HeldError while it is another installation's.
func (c *Claim) Hold(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.renewed.IsZero() && now.Sub(c.renewed) < renewEvery {
		return nil
	}
	err := c.take(ctx, now)
	if _, held := errors.AsType[*HeldError](err); err != nil && !held && !c.renewed.IsZero() && now.Sub(c.renewed) < tolerance {
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
	if other := holderOf(&lease); other != c.holder && other != "" && !c.expired(&lease, now) {
		c.renewed = time.Time{}
		return &HeldError{other}
	}
	return c.write(&lease, now, func() error { return c.client.Update(ctx, &lease) })
}

// expired says that another installation has not been heard of for too long. Only what this process saw counts: clocks differ.
func (c *Claim) expired(lease *coordinationv1.Lease, now time.Time) bool {
	seen := heldByOther{holderOf(lease), lease.ResourceVersion}
	if seen == c.foreign {
		return now.Sub(c.since) >= expiry
	}
	if seen.holder != c.foreign.holder {
		c.log.Info("Another installation reconciles this cluster; staying out", "installation", seen.holder)
	}
	c.foreign, c.since = seen, now
	standby.Set(1)
	return false
}

// write puts our name on the Lease. It carries the version that was read, so that of two that take over one does.
func (c *Claim) write(lease *coordinationv1.Lease, now time.Time, send func() error) error {
	at := metav1.NewMicroTime(now)
	if holderOf(lease) != c.holder {
		lease.Spec.AcquireTime = &at
	}
	lease.Spec.HolderIdentity, lease.Spec.RenewTime = &c.holder, &at
	lease.Spec.LeaseDurationSeconds = new(int32(expiry / time.Second))
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
