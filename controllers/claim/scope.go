package claim

import (
	"context"
	"fmt"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// LeaseName is the Lease of an installation that reconciles the whole cluster. That of an installation that watches some namespaces
// is called LeaseName.NAMESPACE for each of them.
const LeaseName = "llmservice-operator"

// pageSize is how many Leases are read at once.
const pageSize = 500

// Scope is what an installation reconciles.
type Scope struct {
	// Leases is the namespace of all Leases, the same for all installations. It is not a tenant's: with Leases in the namespaces that
	// they are about, anyone who may write there could keep the operator of the whole cluster from its work.
	Leases string
	// Namespaces are those that the installation watches; none for all.
	Namespaces []string
}

// read returns the Leases of the scope, with those that do not exist yet, and those of the scopes that overlap with it.
func (s Scope) read(ctx context.Context, c client.Client) (own, others []*coordinationv1.Lease, err error) {
	whole, err := s.get(ctx, c, LeaseName)
	if err != nil {
		return nil, nil, err
	}
	if len(s.Namespaces) == 0 {
		others, err = s.ofNamespaces(ctx, c)
		return []*coordinationv1.Lease{whole}, others, err
	}
	for _, namespace := range s.Namespaces {
		lease, err := s.get(ctx, c, LeaseName+"."+namespace)
		if err != nil {
			return nil, nil, err
		}
		own = append(own, lease)
	}
	return own, []*coordinationv1.Lease{whole}, nil
}

// get returns an empty Lease if there is none.
func (s Scope) get(ctx context.Context, c client.Client, name string) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: s.Leases, Name: name}
	err := c.Get(ctx, key, lease)
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{}
		lease.Namespace, lease.Name = s.Leases, name
		return lease, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Lease %s: %w", key, err)
	}
	return lease, nil
}

// ofNamespaces returns the Leases of all installations that watch some namespaces.
func (s Scope) ofNamespaces(ctx context.Context, c client.Client) ([]*coordinationv1.Lease, error) {
	var found []*coordinationv1.Lease
	var page coordinationv1.LeaseList
	for {
		err := c.List(ctx, &page, client.InNamespace(s.Leases), client.Limit(pageSize), client.Continue(page.Continue))
		if err != nil {
			return nil, fmt.Errorf("list the Leases of namespace %s: %w", s.Leases, err)
		}
		for i := range page.Items {
			if namespaceOf(page.Items[i].Name) != "" {
				found = append(found, page.Items[i].DeepCopy())
			}
		}
		if page.Continue == "" {
			return found, nil
		}
	}
}

// namespaceOf returns the namespace that a Lease is about; empty if it is about the whole cluster, or is none of ours.
func namespaceOf(name string) string {
	namespace, ok := strings.CutPrefix(name, LeaseName+".")
	if !ok {
		return ""
	}
	return namespace
}
