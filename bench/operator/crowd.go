package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

const (
	crowds = 4
	// hangs is one of how many pods that never answers.
	hangs = 10
	// watched is how long readings are taken before they are judged.
	watched = 30 * time.Second
)

// crowd has four services of many pods, of which some hang, and scales each down by one.
func (b *bed) crowd(ctx context.Context, s settings) error {
	const slowest = 10
	gateways, err := serveGateways(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = gateways.Close() }()
	m, err := b.run(ctx)
	if err != nil {
		return err
	}
	defer m.end(syscall.SIGTERM)
	for c := range crowds {
		if err := b.gather(ctx, c, s.pods); err != nil {
			return err
		}
	}
	if err := b.readings(ctx, m, s); err != nil {
		return err
	}
	began := time.Now()
	if err := b.shrink(ctx, s.pods-1); err != nil {
		return errors.Join(err, m.said())
	}
	b.figure(fmt.Sprintf("%d services of %d pods are scaled down by one", crowds, s.pods), time.Since(began).Seconds(), slowest, "s")
	return nil
}

// readings looks at how old the gateways' readings get once all pods are there: what makes them, on the same cores, is not
// a cluster's work.
func (b *bed) readings(ctx context.Context, m *manager, s settings) error {
	const oldest, family = 2, "llmservice_reading_age_seconds"
	before, err := m.families(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(watched):
	}
	after, err := m.families(ctx)
	if err != nil {
		return err
	}
	_, earlier := buckets(before[family])
	_, count := buckets(after[family])
	fmt.Printf("readings of %d pods in %s, one in %d of which hangs: %d\n", crowds*s.pods, watched, hangs, count-earlier)
	b.figure("… age of 99 of 100", percentile(after[family], before[family], 0.99), oldest, "s")
	b.figure("… age of all", percentile(after[family], before[family], 1), oldest, "s")
	return nil
}

// serveGateways answers for all gateways; those whose address ends in a multiple of hangs never do.
func serveGateways(ctx context.Context) (*http.Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", fmt.Sprintf(":%d", delivery.AdminPort))
	if err != nil {
		return nil, fmt.Errorf("listen for the gateways: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		if ip := net.ParseIP(host).To4(); ip != nil && int(ip[3])%hangs == 0 {
			<-r.Context().Done()
			return
		}
		_, _ = w.Write([]byte(`{"version":"v1","revision":"r","inFlight":1}`))
	})}
	go func() { _ = server.Serve(listener) }()
	return server, nil
}

// gather makes a service and its pods.
func (b *bed) gather(ctx context.Context, c, pods int) error {
	of := service(fmt.Sprintf("crowd-%d", c), int32(pods)) //nolint:gosec // at most 1000
	if err := b.api.Create(ctx, of); err != nil {
		return fmt.Errorf("create a service: %w", err)
	}
	if err := b.reconciled(ctx, of.Name); err != nil {
		return err
	}
	return each(ctx, pods, func(ctx context.Context, i int) error {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s-%d", of.Name, i), Labels: render.Labels(of)},
			Spec: corev1.PodSpec{
				Containers:                    []corev1.Container{{Name: render.ContainerName, Image: "gateway:bench"}},
				TerminationGracePeriodSeconds: new(int64(86400)), // as much as any service needs
			},
		}
		if err := b.api.Create(ctx, pod); err != nil {
			return fmt.Errorf("create a pod: %w", err)
		}
		now, ip := metav1.Now(), fmt.Sprintf("127.%d.%d.%d", c+1, i/200, i%200+1)
		pod.Status = corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: render.ContainerName, ContainerID: "bench://" + pod.Name,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
			}},
		}
		return b.api.Status().Update(ctx, pod)
	})
}

// shrink asks for fewer replicas of all services at once, and waits until their Deployments have as many.
func (b *bed) shrink(ctx context.Context, to int) error {
	for c := range crowds {
		if err := b.patch(ctx, service(fmt.Sprintf("crowd-%d", c), 0), fmt.Sprintf(`{"spec":{"replicas":%d}}`, to)); err != nil {
			return err
		}
	}
	return until(ctx, "scaling down", 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		for c := range crowds {
			var deployment appsv1.Deployment
			key := client.ObjectKey{Namespace: namespace, Name: fmt.Sprintf("crowd-%d", c)}
			if err := b.api.Get(ctx, key, &deployment); err != nil || int(*deployment.Spec.Replicas) != to {
				return false, err
			}
		}
		return true, nil
	})
}
