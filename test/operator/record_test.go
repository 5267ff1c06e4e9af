//go:build record

package operator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

// TestRecordRelease writes what the operator of this tree leaves in a cluster to the directory that LLMSERVICE_RECORD names.
// .ci/record-release runs it in the tree of an older commit, so it uses only what the harness has had all along.
func TestRecordRelease(t *testing.T) {
	s := start(t)
	for _, play := range []func(*system){
		playSteady, playEdited, playHalfWay, playRefused, playNeverValid, playOff, playKeyed, playCut,
	} {
		play(s)
	}
	served := map[string]string{}
	for name, g := range s.fleet.gateways {
		served[name] = g.status.Revision
	}
	write(t, "served.json", encode(t, served))
	write(t, "contract.json", encode(t, shapesOf(reflect.TypeFor[config.Config]())))
	write(t, "report.json", encode(t, shapesOf(reflect.TypeOf(gateway{}.status))))
	write(t, "objects.yaml", s.dump())
}

func playSteady(s *system) { s.up(s.create("steady", scaling(inFlight))) }

// Both gateways have served two configs.
func playEdited(s *system) {
	service := s.create("edited")
	a, b := s.up(service)
	next := s.deliver(service, model("m2"))
	a.serves(next)
	b.serves(next)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

// One of two gateways serves the new config.
func playHalfWay(s *system) {
	service := s.create("half-way")
	a, _ := s.up(service)
	a.serves(s.deliver(service, model("m2")))
	s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/Pending")
}

// The second spec is served, and the third one is refused.
func playRefused(s *system) {
	service := s.create("refused", scaling(inFlight))
	a, b := s.up(service)
	next := s.deliver(service, model("m2"))
	a.serves(next)
	b.serves(next)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.edit(service, func(l *v1alpha1.LLMService) {
		broken(l)
		l.Spec.Exposure = &v1alpha1.Exposure{Service: &v1alpha1.ServiceExposure{Port: 8000}}
		l.Spec.Scaling = nil
	})
	s.awaitCondition(service, v1alpha1.ConditionStalled, "True/Invalid")
}

func playNeverValid(s *system) {
	s.awaitCondition(s.create("never-valid", broken), v1alpha1.ConditionStalled, "True/Invalid")
}

func playOff(s *system) {
	service := s.create("off", replicas(0))
	s.fleet.awaitDelivery(service, "")
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionAvailable, "True/ScaledToZero")
}

func playKeyed(s *system) {
	s.up(s.create("keyed", func(l *v1alpha1.LLMService) {
		l.Spec.Upstreams[0].Auth = &v1alpha1.UpstreamAuth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{
			SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "keys", Key: "openai"},
		}}
	}))
}

// A replica vanished with streams open.
func playCut(s *system) {
	service := s.create("cut")
	a, _ := s.up(service)
	a.mu.Lock()
	a.status.Streams.Opened, a.status.Streams.Open, a.status.Streams.Done = 5, 3, 2
	a.mu.Unlock()
	s.awaitReadings(service, map[string]*gateway{"cut-a": a})
	s.fleet.remove("cut-a")
	s.awaitEvent(service, "StreamsCut")
	s.fleet.pod(service, "cut-c", s.fleet.delivered(service))
	eventually(s.t, "acknowledgement of the new pod", func() error {
		s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
		if service.Status.Config.Acknowledged != 2 {
			return fmt.Errorf("%+v", service.Status.Config)
		}
		return nil
	})
}

// deliver edits the service, and returns the revision that its gateways get for it.
func (s *system) deliver(service *v1alpha1.LLMService, change func(*v1alpha1.LLMService)) string {
	before := s.fleet.delivered(service)
	s.edit(service, change)
	return s.fleet.awaitDelivery(service, before)
}

// recorded are the kinds of the objects, in the order in which they are written.
var recorded = []schema.GroupVersionKind{
	{Group: v1alpha1.Group, Version: "v1alpha1", Kind: v1alpha1.Kind},
	{Version: "v1", Kind: "ServiceAccount"},
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "Service"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
	{Version: "v1", Kind: "Pod"},
}

// graceOfDefaults is the grace period, in seconds, of gateways whose service does not set maxStreamDuration.
const graceOfDefaults int64 = 320

// dump returns the namespace and the objects in it, as the API server returns them, without their resourceVersion.
func (s *system) dump() []byte {
	s.t.Helper()
	namespace := &unstructured.Unstructured{}
	namespace.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	if err := api.Get(s.t.Context(), client.ObjectKey{Name: s.namespace}, namespace); err != nil {
		s.t.Fatal(err)
	}
	objects := []unstructured.Unstructured{*namespace}
	for _, kind := range recorded {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(kind)
		if err := api.List(s.t.Context(), &list, client.InNamespace(s.namespace)); err != nil {
			s.t.Fatal(err)
		}
		objects = append(objects, list.Items...)
	}
	var documents [][]byte
	for i := range objects {
		objects[i].SetResourceVersion("")
		if objects[i].GetKind() == "Pod" { // as a Deployment's are: not every harness gave its pods what their template has
			if err := unstructured.SetNestedField(objects[i].Object, graceOfDefaults, "spec", "terminationGracePeriodSeconds"); err != nil {
				s.t.Fatal(err)
			}
		}
		document, err := yaml.Marshal(objects[i].Object)
		if err != nil {
			s.t.Fatal(err)
		}
		documents = append(documents, document)
	}
	return bytes.Join(documents, []byte("---\n"))
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	encoded, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(encoded, '\n')
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(os.Getenv("LLMSERVICE_RECORD"), name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}
