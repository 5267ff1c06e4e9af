package claim

import (
	"context"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Lock lets a manager lead only while its installation holds the claim.
type Lock struct {
	// Interface is the lock among the managers of one installation.
	resourcelock.Interface

	Claim *Claim
}

// Create implements resourcelock.Interface.
func (l Lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if err := l.Claim.Hold(ctx); err != nil {
		return err
	}
	return l.Interface.Create(ctx, record) //nolint:wrapcheck // the elector looks at its kind
}

// Update implements resourcelock.Interface. A leader that gives up the lock needs no claim for it.
func (l Lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity == l.Identity() {
		if err := l.Claim.Hold(ctx); err != nil {
			return err
		}
	}
	return l.Interface.Update(ctx, record) //nolint:wrapcheck // the elector looks at its kind
}
