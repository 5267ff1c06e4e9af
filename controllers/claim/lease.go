package claim

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// write puts our name on the Lease. It carries the version that was read, so that of two that take over one does.
func (c *Claim) write(ctx context.Context, lease *coordinationv1.Lease, now time.Time) error {
	at := metav1.NewMicroTime(now)
	if holderOf(lease) != c.Installation {
		lease.Spec.AcquireTime = &at
	}
	lease.Spec.HolderIdentity, lease.Spec.RenewTime = &c.Installation, &at
	lease.Spec.LeaseDurationSeconds = new(int32(c.Expiry / time.Second)) //nolint:gosec // a minute, or seconds in tests
	send := func() error { return c.client.Update(ctx, lease) }
	if lease.ResourceVersion == "" {
		send = func() error { return c.client.Create(ctx, lease) }
	}
	if err := send(); err != nil {
		return fmt.Errorf("write Lease %s: %w", client.ObjectKeyFromObject(lease), err)
	}
	return nil
}

// withdraw takes our name off the Leases.
func (c *Claim) withdraw(ctx context.Context, own []*coordinationv1.Lease) error {
	var failed error
	for _, lease := range own {
		lease.Spec.HolderIdentity = nil
		if err := c.client.Update(ctx, lease); err != nil {
			failed = errors.Join(failed, fmt.Errorf("withdraw from Lease %s: %w", client.ObjectKeyFromObject(lease), err))
		}
	}
	return failed
}

func holderOf(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
