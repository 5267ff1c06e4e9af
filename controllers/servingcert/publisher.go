package servingcert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// checkInterval is how soon a bundle that somebody overwrote is whole again. It is also the time that API servers
	// have, between a new certificate's publication and its first use, to take notice.
	checkInterval = 15 * time.Second
	// retryInterval is the pause after a check that failed.
	retryInterval = time.Second
	// checkTimeout bounds one check.
	checkTimeout = 10 * time.Second
)

// APIClient reads from the API server, never from a cache, and writes.
type APIClient struct {
	Reader client.Reader
	Writer client.Writer
}

// Publisher keeps this replica's certificate in the CA bundle of the holders that name our Service, and renews it.
// A holder that names another Service belongs to another server and is left alone.
type Publisher struct {
	client      APIClient
	replica     string
	service     types.NamespacedName
	holders     []Holder
	certificate *ServedPair
	// next is published but not served with yet.
	next *pair

	mu    sync.Mutex
	state Registration
}

// Registration reports whether the holders lead to this manager.
type Registration struct {
	// Known is false until the API server has been asked for the first time.
	Known bool
	// Ours is true where at least one holder names our Service, trusts our certificate, and none names another.
	Ours bool
	// Message says in words what is not ours; empty if all is well.
	Message string
}

// NewPublisher makes the first certificate, for the cluster name of the Service. Replica is the name of this manager's pod,
// by which a restarted one finds what it left behind; empty if it is not known.
func NewPublisher(c APIClient, replica string, service types.NamespacedName, holders []Holder) (*Publisher, error) {
	p := &Publisher{client: c, replica: replica, service: service, holders: holders, certificate: &ServedPair{}}
	first, err := newPair(p.hostNames(), replica, time.Now())
	if err != nil {
		return nil, err
	}
	p.certificate.replace(first)
	return p, nil
}

func (p *Publisher) hostNames() []string {
	return []string{p.service.Name + "." + p.service.Namespace + ".svc"}
}

// Certificate is what to serve with.
func (p *Publisher) Certificate() *ServedPair { return p.certificate }

// Registered returns what the last check found.
func (p *Publisher) Registered() Registration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Ready is a health check: it fails until the API server trusts this replica, or needs not.
func (p *Publisher) Ready(*http.Request) error {
	if !p.Registered().Known {
		return errors.New("the serving certificate is not published yet")
	}
	return nil
}

// NeedLeaderElection says that every replica serves, and so publishes.
func (p *Publisher) NeedLeaderElection() bool { return false }

// Start checks until the context ends.
func (p *Publisher) Start(ctx context.Context) error {
	for {
		pause := checkInterval
		if err := p.check(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Cannot publish the serving certificate")
			pause = retryInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// check publishes what is served and what will be. A new pair is served one check after it was published, which
// gives the API servers time to see it.
func (p *Publisher) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	served, next, err := p.pairs()
	if err != nil {
		return err
	}
	state, changed, err := p.publish(ctx, served, next)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.state = state
	p.mu.Unlock()
	if next != nil && !changed {
		p.certificate.replace(next)
		p.next = nil
	}
	return nil
}

func (p *Publisher) pairs() (served, next *pair, err error) {
	now := time.Now()
	served = p.certificate.current()
	if p.next == nil && served.renewable(now) {
		p.next, err = newPair(p.hostNames(), p.replica, now)
	}
	return served, p.next, err
}

// publish returns the state of all holders together, and whether any was written.
func (p *Publisher) publish(ctx context.Context, served, next *pair) (Registration, bool, error) {
	certificates := [][]byte{served.certificate}
	if next != nil {
		certificates = append(certificates, next.certificate)
	}
	state, changed := Registration{Known: true}, false
	var foreign string
	for _, holder := range p.holders {
		found, wrote, err := p.publishTo(ctx, holder, certificates)
		if err != nil {
			return Registration{}, false, err
		}
		changed = changed || wrote
		state.Ours = state.Ours || found.ours
		if found.foreign != "" {
			foreign = found.foreign
		}
	}
	switch {
	case foreign != "":
		state.Ours, state.Message = false, foreign
	case !state.Ours:
		state.Message = fmt.Sprintf("no %s %s names the Service %s", p.holders[0].kind, p.holders[0].name, p.service)
	}
	return state, changed, nil
}

// finding is what was done with one holder; neither member is set if it does not exist.
type finding struct {
	ours    bool
	foreign string
}

func (p *Publisher) publishTo(ctx context.Context, holder Holder, certificates [][]byte) (found finding, wrote bool, err error) {
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		found, wrote, err = p.tryPublishTo(ctx, holder, certificates)
		return err
	})
	if err != nil {
		return finding{}, false, fmt.Errorf("publish serving certificate to %s %s: %w", holder.kind, holder.name, err)
	}
	return found, wrote, nil
}

func (p *Publisher) tryPublishTo(ctx context.Context, holder Holder, certificates [][]byte) (found finding, wrote bool, err error) {
	object, places := holder.empty()
	err = p.client.Reader.Get(ctx, client.ObjectKey{Name: holder.name}, object)
	if apierrors.IsNotFound(err) {
		return finding{}, false, nil
	}
	if err != nil {
		return finding{}, false, err
	}
	known := replicas{own: p.replica, gone: func(name string) bool { return p.gone(ctx, name) }}
	changed := false
	for _, at := range places() {
		if at.service == nil || *at.service != p.service {
			found.foreign = foreignMessage(holder, at.service)
			continue
		}
		found.ours = true
		bundle := merge(*at.bundle, certificates, time.Now(), known)
		changed = changed || *at.insecure || !bytes.Equal(bundle, *at.bundle)
		*at.bundle, *at.insecure = bundle, false
	}
	if !changed {
		return found, false, nil
	}
	return found, true, p.client.Writer.Update(ctx, object)
}

// gone reports whether there is no other pod of this name. One that cannot be read is not gone.
func (p *Publisher) gone(ctx context.Context, name string) bool {
	pod := &metav1.PartialObjectMetadata{}
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	return apierrors.IsNotFound(p.client.Reader.Get(ctx, client.ObjectKey{Namespace: p.service.Namespace, Name: name}, pod))
}

func foreignMessage(holder Holder, service *types.NamespacedName) string {
	if service == nil {
		return fmt.Sprintf("%s %s %s", holder.kind, holder.name, holder.direct)
	}
	return fmt.Sprintf("%s %s belongs to the Service %s", holder.kind, holder.name, *service)
}
