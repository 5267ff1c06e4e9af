package servingcert

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var service = types.NamespacedName{Namespace: "llmservice-system", Name: "metrics"}

const firstAPIService, secondAPIService = "v1.metrics.test", "v2.metrics.test"

func apiService(name, serviceName string) *apiregistrationv1.APIService {
	return &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: apiregistrationv1.APIServiceSpec{
			Service: &apiregistrationv1.ServiceReference{Namespace: service.Namespace, Name: serviceName},
		},
	}
}

// cluster is an API server with APIServices, that counts writes and fails as it is told.
type cluster struct {
	client.Client

	writes int
	fail   func() error
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(apiregistrationv1.AddToScheme(scheme), corev1.AddToScheme(scheme), admissionregistrationv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c := &cluster{}
	c.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Update: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			c.writes++
			if c.fail != nil {
				if err := c.fail(); err != nil {
					return err
				}
			}
			return next.Update(ctx, object, options...)
		},
	}).Build()
	return c
}

// bundle is what the first APIService trusts.
func (c *cluster) bundle(t *testing.T) []byte {
	t.Helper()
	var live apiregistrationv1.APIService
	if err := c.Get(t.Context(), client.ObjectKey{Name: firstAPIService}, &live); err != nil {
		t.Fatal(err)
	}
	return live.Spec.CABundle
}

func newTestPublisher(t *testing.T, c *cluster) *Publisher {
	t.Helper()
	p, err := NewPublisher(APIClient{Reader: c, Writer: c}, "", service, APIServices([]string{firstAPIService, secondAPIService}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPublishes(t *testing.T) {
	tests := []struct {
		name       string
		objects    []client.Object
		want       Registration
		wantWrites int
	}{
		{
			name: "both are ours", objects: []client.Object{apiService(firstAPIService, "metrics"), apiService(secondAPIService, "metrics")},
			want: Registration{Known: true, Ours: true}, wantWrites: 2,
		},
		{name: "one is enough", objects: []client.Object{apiService(secondAPIService, "metrics")}, want: Registration{Known: true, Ours: true}, wantWrites: 1},
		{
			name: "there is none",
			want: Registration{Known: true, Message: "no APIService v1.metrics.test names the Service llmservice-system/metrics"},
		},
		{
			name: "one is another adapter's", objects: []client.Object{apiService(firstAPIService, "metrics"), apiService(secondAPIService, "other")},
			want:       Registration{Known: true, Message: "APIService v2.metrics.test belongs to the Service llmservice-system/other"},
			wantWrites: 1,
		},
		{
			name: "served by the API server", objects: []client.Object{&apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: firstAPIService}}},
			want: Registration{Known: true, Message: "APIService v1.metrics.test is served by the API server itself"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, tt.objects...)
			p := newTestPublisher(t, c)
			if p.Ready(nil) == nil {
				t.Error("ready before anything was published")
			}
			for range 2 {
				if err := p.check(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := p.Registered(); got != tt.want {
				t.Errorf("state = %+v, want %+v", got, tt.want)
			}
			if err := p.Ready(nil); err != nil {
				t.Errorf("not ready: %v", err)
			}
			if c.writes != tt.wantWrites {
				t.Errorf("%d writes in two checks, want %d", c.writes, tt.wantWrites)
			}
		})
	}
}

func TestPublishesAgainAfterAConflict(t *testing.T) {
	c := newCluster(t, apiService(firstAPIService, "metrics"))
	c.fail = func() error {
		if c.writes == 1 {
			return apierrors.NewConflict(schema.GroupResource{Resource: "apiservices"}, firstAPIService, errors.New("somebody was faster"))
		}
		return nil
	}
	p := newTestPublisher(t, c)
	if err := p.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.bundle(t), p.certificate.current().certificate) {
		t.Error("the bundle lacks the certificate")
	}
}

func TestStaysUnreadyWhileItCannotPublish(t *testing.T) {
	c := newCluster(t, apiService(firstAPIService, "metrics"))
	c.fail = func() error { return errors.New("connection refused") }
	p := newTestPublisher(t, c)
	if err := p.check(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if p.Ready(nil) == nil {
		t.Error("ready, but the API server does not trust it")
	}
}

func TestRepairsTheBundle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, apiService(firstAPIService, "metrics"))
		p := newTestPublisher(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Start(ctx) }()
		synctest.Wait()
		var overwritten apiregistrationv1.APIService
		if err := c.Get(ctx, client.ObjectKey{Name: firstAPIService}, &overwritten); err != nil {
			t.Fatal(err)
		}
		overwritten.Spec.CABundle = []byte("theirs")
		if err := c.Update(ctx, &overwritten); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkInterval)
		synctest.Wait()
		if !bytes.Equal(c.bundle(t), p.certificate.current().certificate) {
			t.Error("the bundle is not ours again after an interval")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What is served is trusted and valid, at every hour of three lives.
func TestRenews(t *testing.T) {
	renews(t, apiService(firstAPIService, "metrics"), APIServices([]string{firstAPIService}), (*cluster).bundle)
}

func TestRenewsForAWebhook(t *testing.T) {
	renews(t, webhookOf("metrics"), ValidatingWebhooks(webhookName), (*cluster).webhookBundle)
}

const webhookName = "webhook"

// webhookOf is a configuration that names the Service for both of its webhooks.
func webhookOf(serviceName string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: webhookName}}
	for _, name := range []string{"one", "two"} {
		configuration.Webhooks = append(configuration.Webhooks, admissionregistrationv1.ValidatingWebhook{
			Name: name, ClientConfig: admissionregistrationv1.WebhookClientConfig{
				Service: &admissionregistrationv1.ServiceReference{Namespace: service.Namespace, Name: serviceName},
			},
		})
	}
	return configuration
}

// webhookBundle is what both webhooks trust.
func (c *cluster) webhookBundle(t *testing.T) []byte {
	t.Helper()
	var live admissionregistrationv1.ValidatingWebhookConfiguration
	if err := c.Get(t.Context(), client.ObjectKey{Name: webhookName}, &live); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(live.Webhooks[0].ClientConfig.CABundle, live.Webhooks[1].ClientConfig.CABundle) {
		t.Error("the webhooks trust different certificates")
	}
	return live.Webhooks[0].ClientConfig.CABundle
}

func TestAWebhookOfAnotherIsLeftAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		configuration *admissionregistrationv1.ValidatingWebhookConfiguration
		want          string
	}{
		"another Service": {webhookOf("other"), "ValidatingWebhookConfiguration webhook belongs to the Service llmservice-system/other"},
		"a URL": {&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: webhookName},
			Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "one"}},
		}, "ValidatingWebhookConfiguration webhook has a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, tt.configuration)
			p, err := NewPublisher(APIClient{Reader: c, Writer: c}, "", service, ValidatingWebhooks(webhookName))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := p.Registered(); got != (Registration{Known: true, Message: tt.want}) || c.writes > 0 {
				t.Errorf("%+v after %d writes, want %q", got, c.writes, tt.want)
			}
		})
	}
}

// renews checks a publisher at every hour of three lives.
func renews(t *testing.T, object client.Object, holders []Holder, bundle func(*cluster, *testing.T) []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, object)
		p, err := NewPublisher(APIClient{Reader: c, Writer: c}, "", service, holders)
		if err != nil {
			t.Fatal(err)
		}
		changes := &listener{}
		p.Certificate().AddListener(changes)
		for range int(3 * life / time.Hour) {
			if err := p.check(t.Context()); err != nil {
				t.Fatal(err)
			}
			certificate, key := p.Certificate().CurrentCertKeyContent()
			if _, err := tls.X509KeyPair(certificate, key); err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(bundle(c, t), certificate) {
				t.Fatal("serves a certificate that is not published")
			}
			if left := time.Until(parse(certificate)[0].NotAfter); left < life-renewAfter-2*time.Hour {
				t.Fatalf("serves a certificate that ends in %v", left)
			}
			time.Sleep(time.Hour)
		}
		if changes.told != 4 {
			t.Errorf("the server was told of %d renewals, want 4", changes.told)
		}
		if n := len(parse(bundle(c, t))); n > 2 {
			t.Errorf("%d certificates in the bundle, want those that are valid", n)
		}
	})
}

type listener struct{ told int }

func (l *listener) Enqueue() { l.told++ }

// A new certificate is served only after API servers had an interval to read of it.
func TestPublishesBeforeItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, apiService(firstAPIService, "metrics"))
		p := newTestPublisher(t, c)
		time.Sleep(renewAfter)
		first := p.certificate.current()
		if err := p.check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.next == nil || !bytes.Contains(c.bundle(t), p.next.certificate) {
			t.Fatal("the next certificate is not published")
		}
		if p.certificate.current() != first {
			t.Error("the next certificate is served at once")
		}
		next := p.next
		if err := p.check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.certificate.current() != next {
			t.Error("the next certificate is not served after another check")
		}
	})
}

// Each start of a manager that crashes over and over publishes a certificate. None of them may cost a healthy manager its own,
// whether the pod restarts or is replaced.
func TestACrashLoopLeavesTheHealthyOneItsPlace(t *testing.T) {
	for _, name := range []string{"its container restarts", "its pod is replaced"} {
		t.Run(name, func(t *testing.T) {
			healthyPod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: "healthy"}}
			c := newCluster(t, apiService(firstAPIService, "metrics"), healthyPod)
			healthy := start(t, c, "healthy")
			for i := range 3 * maxCertificates {
				replica := "crashing"
				if name == "its pod is replaced" {
					replica = fmt.Sprint("crashing-", i)
				}
				start(t, c, replica)
			}
			if !bytes.Contains(c.bundle(t), healthy.certificate.current().certificate) {
				t.Error("the healthy manager's certificate was driven out")
			}
		})
	}
}

// start publishes as a manager does that has just been started.
func start(t *testing.T, c *cluster, replica string) *Publisher {
	t.Helper()
	p, err := NewPublisher(APIClient{Reader: c, Writer: c}, replica, service, APIServices([]string{firstAPIService}))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}
