package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	checkEvery = 200 * time.Millisecond
	// checkLimit is for one step of the start; on two busy cores the slowest
	// takes about ten seconds.
	checkLimit = 2 * time.Minute
)

// check is something that must come true before the cluster counts as up.
type check struct {
	what   string
	daemon string // whose log explains why it does not
	ok     func(context.Context) error
}

// until repeats a check until it succeeds. It ends early with ctx, whose cause
// is then the reason.
func until(ctx context.Context, limit time.Duration, ok func(context.Context) error) error {
	deadline, cancel := context.WithTimeoutCause(ctx, limit, errTooLate)
	defer cancel()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	last := errors.New("no attempt ended")
	for {
		err := ok(deadline)
		if err == nil {
			return nil
		}
		if deadline.Err() == nil {
			last = err // what was observed, not that the observation was cut off
		}
		select {
		case <-deadline.Done():
			if cause := context.Cause(deadline); !errors.Is(cause, errTooLate) {
				return fmt.Errorf("given up: %w", cause)
			}
			return fmt.Errorf("not within %s: %w", limit, last)
		case <-tick.C:
		}
	}
}

var errTooLate = errors.New("too late")

// conditioned is how Kubernetes reports almost everything that is waited for.
type conditioned struct {
	Status struct {
		Conditions []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"conditions"`
	} `json:"status"`
}

func (o conditioned) holds(kind string) error {
	for _, c := range o.Status.Conditions {
		if c.Type == kind && c.Status == "True" {
			return nil
		}
		if c.Type == kind {
			return fmt.Errorf("%s=%s: %s", kind, c.Status, c.Message)
		}
	}
	return fmt.Errorf("no condition %s yet", kind)
}

func apiserverAnswers(c *client) check {
	return check{"the API answers", "kube-apiserver", func(ctx context.Context) error {
		return c.get(ctx, apiserverURL+"/readyz", nil)
	}}
}

// controllersRun waits for the service account without which no pod can be made.
func controllersRun(c *client) check {
	const account = "/api/v1/namespaces/default/serviceaccounts/default"
	return check{"controllers run", "kube-controller-manager", func(ctx context.Context) error {
		return c.get(ctx, apiserverURL+account, nil)
	}}
}

func (l Layout) ready(c *client) check {
	return check{l.Name() + " is Ready", l.kubeletLog(), func(ctx context.Context) error {
		var node conditioned
		if err := c.get(ctx, apiserverURL+"/api/v1/nodes/"+l.Name(), &node); err != nil {
			return err
		}
		return node.holds("Ready")
	}}
}

// kubeletLog names the log that explains a node that is not Ready; a worker is one daemon to the first node.
func (l Layout) kubeletLog() string {
	if l.isWorker() {
		return l.Name()
	}
	return "kubelet"
}

// schedulable waits for the taint to go that keeps pods off a node which
// has just joined.
func (l Layout) schedulable(c *client) check {
	return check{l.Name() + " takes pods", "kube-controller-manager", func(ctx context.Context) error {
		var node struct {
			Spec struct {
				Taints []struct {
					Key    string `json:"key"`
					Effect string `json:"effect"`
				} `json:"taints"`
			} `json:"spec"`
		}
		if err := c.get(ctx, apiserverURL+"/api/v1/nodes/"+l.Name(), &node); err != nil {
			return err
		}
		if len(node.Spec.Taints) > 0 {
			return fmt.Errorf("taints: %v", node.Spec.Taints)
		}
		return nil
	}}
}

// servicesRouted calls the API by its Service's address, which only
// kube-proxy's rules lead anywhere.
func servicesRouted(c *client) check {
	return check{"Services have addresses that work", "kube-proxy", func(ctx context.Context) error {
		return c.get(ctx, "https://"+apiserverVIP+"/readyz", nil)
	}}
}

func dnsAnswers() check {
	const service = "kubernetes.default.svc." + dnsDomain + "."
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(controlPlaneIP, "53"))
	}}
	return check{"Services have names", "coredns", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		addrs, err := resolver.LookupHost(ctx, service)
		if err != nil {
			return fmt.Errorf("ask for %s: %w", service, err)
		}
		if !slices.Equal(addrs, []string{apiserverVIP}) {
			return fmt.Errorf("%s is %v, want %s", service, addrs, apiserverVIP)
		}
		return nil
	}}
}

func metricsAvailable(c *client) check {
	return check{"resource metrics are served", "metrics-server", func(ctx context.Context) error {
		var service conditioned
		path := "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
		if err := c.get(ctx, apiserverURL+path, &service); err != nil {
			return err
		}
		return service.holds("Available")
	}}
}
