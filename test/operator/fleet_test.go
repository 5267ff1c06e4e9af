package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// fleet plays the Deployment controller, the kubelet and the gateways of a namespace.
type fleet struct {
	t         *testing.T
	namespace string

	mu       sync.Mutex
	gateways map[string]*gateway
}

// gateway answers for its status on loopback.
type gateway struct {
	server *httptest.Server

	mu     sync.Mutex
	status report.Status
	// slow is how long an answer takes.
	slow time.Duration
}

func newFleet(t *testing.T, namespace string) *fleet {
	t.Helper()
	return &fleet{t: t, namespace: namespace, gateways: map[string]*gateway{}}
}

// address tells the operator where a pod's admin listener is.
func (f *fleet) address(pod *corev1.Pod) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g, ok := f.gateways[pod.Name]; ok {
		return g.server.Listener.Addr().String()
	}
	return "127.0.0.1:1"
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-time.After(g.slow):
	case <-r.Context().Done():
	}
	_ = json.NewEncoder(w).Encode(g.status)
}

func (g *gateway) set(change func(*report.Status)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.status)
}

// slowDown has the gateway take its time, within the operator's patience.
func (g *gateway) slowDown() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slow = 400 * time.Millisecond
}

// serves has the gateway serve a revision.
func (g *gateway) serves(revision string) {
	g.set(func(s *report.Status) { s.Revision, s.Source, s.Rejected = revision, delivery.CurrentKey, nil })
}

// pod starts a gateway that serves a revision, in a pod that is ready.
func (f *fleet) pod(service *v1alpha1.LLMService, name, revision string) *gateway {
	f.t.Helper()
	g := &gateway{status: report.Status{Version: config.Version, Revision: revision, Source: delivery.CurrentKey}}
	g.server = httptest.NewServer(g)
	f.t.Cleanup(g.server.Close)
	f.mu.Lock()
	f.gateways[name] = g
	f.mu.Unlock()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: name, Labels: render.Labels(service)},
		Spec:       f.podSpec(service),
	}
	if err := api.Create(f.t.Context(), pod); err != nil {
		f.t.Fatal(err)
	}
	now := metav1.Now()
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}}, StartTime: &now,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: render.ContainerName, ContainerID: "test://" + name, Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}
	if err := api.Status().Update(f.t.Context(), pod); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { f.remove(name) })
	return g
}

// podSpec is the one of the Deployment's template, if there is a Deployment.
func (f *fleet) podSpec(service *v1alpha1.LLMService) corev1.PodSpec {
	f.t.Helper()
	var deployment appsv1.Deployment
	if exists(f.t, client.ObjectKeyFromObject(service), &deployment) {
		return deployment.Spec.Template.Spec
	}
	return corev1.PodSpec{Containers: []corev1.Container{{Name: render.ContainerName, Image: "gateway:test"}}}
}

// remove takes a pod away at once.
func (f *fleet) remove(name string) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: name}}
	err := api.Delete(context.Background(), pod, client.GracePeriodSeconds(0))
	if client.IgnoreNotFound(err) != nil {
		f.t.Error(err)
	}
}

// rollOut has the Deployment's status say that all its replicas serve its latest template.
func (f *fleet) rollOut(service *v1alpha1.LLMService) {
	f.t.Helper()
	eventually(f.t, "roll out "+service.Name, func() error {
		var deployment appsv1.Deployment
		if err := api.Get(f.t.Context(), client.ObjectKeyFromObject(service), &deployment); err != nil {
			return err
		}
		if *deployment.Spec.Replicas != *service.Spec.Replicas {
			return fmt.Errorf("the Deployment has %d replicas, want %d", *deployment.Spec.Replicas, *service.Spec.Replicas)
		}
		n := *deployment.Spec.Replicas
		deployment.Status = appsv1.DeploymentStatus{
			ObservedGeneration: deployment.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n,
		}
		return api.Status().Update(f.t.Context(), &deployment)
	})
}

// delivered is the revision that the service's ConfigMap holds as current.
func (f *fleet) delivered(service *v1alpha1.LLMService) string {
	f.t.Helper()
	current, _ := f.documents(service)
	return current
}

// documents are the revisions that the ConfigMap holds as current and as last good; empty for none.
func (f *fleet) documents(service *v1alpha1.LLMService) (current, lastGood string) {
	f.t.Helper()
	var configMap corev1.ConfigMap
	key := client.ObjectKey{Namespace: f.namespace, Name: delivery.ConfigMapName(service.Name)}
	if !exists(f.t, key, &configMap) {
		return "", ""
	}
	name := func(encoded string) string {
		if encoded == "" {
			return ""
		}
		return delivery.Revision([]byte(encoded))
	}
	return name(configMap.Data[delivery.CurrentKey]), name(configMap.Data[delivery.LastGoodKey])
}

// awaitDelivery waits until the ConfigMap holds another revision than this one and there is a Deployment to make pods from, and
// returns the revision.
func (f *fleet) awaitDelivery(service *v1alpha1.LLMService, than string) string {
	f.t.Helper()
	var revision string
	eventually(f.t, "delivery of a revision other than "+than, func() error {
		if revision = f.delivered(service); revision == "" || revision == than {
			return fmt.Errorf("delivered is %q", revision)
		}
		if !exists(f.t, client.ObjectKeyFromObject(service), &appsv1.Deployment{}) {
			return errors.New("no Deployment")
		}
		return nil
	})
	return revision
}

// up brings a service of two replicas to Ready, and returns its gateways.
func (s *system) up(service *v1alpha1.LLMService) (a, b *gateway) {
	s.t.Helper()
	revision := s.fleet.awaitDelivery(service, "")
	a, b = s.fleet.pod(service, service.Name+"-a", revision), s.fleet.pod(service, service.Name+"-b", revision)
	s.fleet.rollOut(service)
	s.accept(service, "Accepted", "True", "Accepted")
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	return a, b
}
