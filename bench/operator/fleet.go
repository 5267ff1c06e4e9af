package main

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// takeover kills the manager that leads and measures how long a change waits for the next.
func (b *bed) takeover(ctx context.Context, _ settings) error {
	const rounds, most = 3, 10
	if err := b.api.Create(ctx, service("led", 1)); err != nil {
		return fmt.Errorf("create a service: %w", err)
	}
	leader, err := b.run(ctx, "--leader-elect")
	if err != nil {
		return err
	}
	defer func() { leader.end(syscall.SIGKILL) }()
	if err := b.reconciled(ctx, "led"); err != nil {
		return fmt.Errorf("%w: %w", err, leader.said())
	}
	slowest := time.Duration(0)
	for range rounds {
		next, err := b.run(ctx, "--leader-elect")
		if err != nil {
			return err
		}
		if err := until(ctx, "the next manager's metrics", 100*time.Millisecond, func(ctx context.Context) (bool, error) {
			return next.sample(ctx) == nil, nil
		}); err != nil {
			return err
		}
		leader.end(syscall.SIGKILL)
		began := time.Now()
		leader = next
		if err := b.touch(ctx, "led"); err != nil {
			return err
		}
		if err := b.reconciled(ctx, "led"); err != nil {
			return err
		}
		slowest = max(slowest, time.Since(began))
	}
	b.figure("leader killed to the next reconcile, slowest of 3", slowest.Seconds(), most, "s")
	// The process is ended in order, and gives its lease up.
	return b.api.Delete(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "llmservice-manager"}})
}

// touch changes a service's spec.
func (b *bed) touch(ctx context.Context, name string) error {
	patch := fmt.Sprintf(`{"spec":{"upstreams":[{"name":"fast","type":"OpenAI","openAI":{"model":"m%d"},`+
		`"endpoints":[{"url":"http://model.test.svc/v1"}]}]}}`, time.Now().UnixNano())
	return b.patch(ctx, service(name, 1), patch)
}

func (b *bed) patch(ctx context.Context, object client.Object, patch string) error {
	if err := b.api.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("patch %s: %w", object.GetName(), err)
	}
	return nil
}

// reconciled waits until the operator has reported on the service as it is now.
func (b *bed) reconciled(ctx context.Context, name string) error {
	return until(ctx, "the status of "+name, 20*time.Millisecond, func(ctx context.Context) (bool, error) {
		var live v1alpha1.LLMService
		err := b.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &live)
		return live.Status.ObservedGeneration == live.Generation, err
	})
}

// fleet brings up many services without pods, and leaves them alone.
func (b *bed) fleet(ctx context.Context, s settings) error {
	const mostMemory = 400
	if err := each(ctx, s.services, func(ctx context.Context, i int) error {
		return b.api.Create(ctx, service(fmt.Sprintf("s-%d", i), 1))
	}); err != nil {
		return fmt.Errorf("create services: %w", err)
	}
	began := time.Now()
	m, err := b.run(ctx)
	if err != nil {
		return err
	}
	defer m.end(syscall.SIGTERM)
	sampling, stop := context.WithCancel(ctx)
	defer stop()
	go m.sampling(sampling)
	if err := until(ctx, "the first sync", time.Second, b.allReconciled); err != nil {
		return fmt.Errorf("%w: %w", err, m.said())
	}
	synced := time.Since(began)
	requests, err := m.requests(ctx, all)
	if err != nil {
		return err
	}
	families, err := m.families(ctx)
	if err != nil {
		return err
	}
	reconcile := percentile(families["controller_runtime_reconcile_time_seconds"], nil, 0.99)
	b.figure(fmt.Sprintf("first sync of %d services", s.services), synced.Seconds(), free, "s")
	b.figure("… 99th percentile of a reconcile", reconcile, free, "s")
	b.figure("… requests to the API server for each service", requests/float64(s.services), free, "")
	if err := b.settled(ctx, m, s); err != nil {
		return err
	}
	stop()
	b.figure("… memory, the most that was seen", m.most, mostMemory, "MiB")
	return nil
}

func (b *bed) allReconciled(ctx context.Context) (bool, error) {
	var list v1alpha1.LLMServiceList
	if err := b.api.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return false, err
	}
	for i := range list.Items {
		if list.Items[i].Status.ObservedGeneration != list.Items[i].Generation {
			return false, nil
		}
	}
	return true, nil
}

// settled counts what is written once nothing changes, although every service is looked at again.
func (b *bed) settled(ctx context.Context, m *manager, s settings) error {
	before := -1.0
	if err := until(ctx, "quiet", 5*time.Second, func(ctx context.Context) (bool, error) {
		now, err := m.requests(ctx, writes)
		same := now == before
		before = now
		return same, err
	}); err != nil {
		return err
	}
	if err := each(ctx, s.services, func(ctx context.Context, i int) error {
		return b.patch(ctx, service(fmt.Sprintf("s-%d", i), 1), `{"metadata":{"labels":{"looked":"at"}}}`)
	}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(s.quiet):
	}
	after, err := m.requests(ctx, writes)
	if err != nil {
		return err
	}
	b.figure(fmt.Sprintf("… writes in %v, each looked at once", s.quiet), after-before, 0, "")
	return nil
}

// unrelated compares the memory of a manager before and after there is much in the cluster that is not the operator's.
func (b *bed) unrelated(ctx context.Context, s settings) error {
	const most = 30
	before, err := b.memory(ctx)
	if err != nil {
		return err
	}
	large := map[string][]byte{"x": bytes.Repeat([]byte("x"), 100<<10)}
	for kind, labels := range map[string]map[string]string{
		"unlabelled": nil, "labelled": {"app.kubernetes.io/managed-by": "llmservice-operator"},
	} {
		if err := each(ctx, s.foreign, func(ctx context.Context, i int) error {
			meta := metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s-%d", kind, i), Labels: labels}
			if err := b.api.Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, BinaryData: large}); err != nil || labels != nil {
				return err
			}
			return b.api.Create(ctx, &corev1.Secret{ObjectMeta: meta, Data: large})
		}); err != nil {
			return fmt.Errorf("create what is not the operator's: %w", err)
		}
		after, err := b.memory(ctx)
		if err != nil {
			return err
		}
		b.figure(fmt.Sprintf("memory more with %d %s objects of 100 KiB", s.foreign, kind), after-before, most, "MiB")
	}
	return nil
}

// memory is the most that a manager takes in the 20 s from its start.
func (b *bed) memory(ctx context.Context) (float64, error) {
	m, err := b.run(ctx)
	if err != nil {
		return 0, err
	}
	defer m.end(syscall.SIGTERM)
	sampling, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	m.sampling(sampling)
	return m.most, ctx.Err()
}
