package operator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/config/crd"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// An operator that finds what an older one left, with the same image for its gateways, takes it over as it is: each child stays the
// object that it was, pods are replaced once and for reasons that are listed here, each gateway can read what it is given, and no status
// is lost. An upgrade to another image then changes the image alone, of the services that name none.
func TestUpgradeFromARelease(t *testing.T) {
	for _, r := range releases(t) {
		t.Run(r.name, func(t *testing.T) {
			defer define(t, crd.LLMServices, "after-"+r.name)
			s, before := r.upgrade(t)
			services := r.services(t)
			s.runUntilSettled(len(services), nil)
			s.followDelivery(r)
			s.followTemplates(before)
			s.settle()
			after := r.present(t)
			for name, was := range before {
				sameChild(t, name, was, after[name])
			}
			for name, service := range r.services(t) {
				sameStatus(t, services[name], service)
			}
			r.deliveredIsReadable(t)
			r.servedIsKept(t)

			s.edit(services["edited"], func(l *v1alpha1.LLMService) { l.Spec.Runtime = &v1alpha1.Runtime{Image: "gateway:test"} })
			s.settle()
			s.stop()
			templates := s.templates()
			s.runUntilSettled(len(services), func(o *controllers.Options) { o.Gateway.Image = "gateway:next" })
			for name, template := range s.templates() {
				want := templates[name]
				if name != "edited" {
					want = strings.ReplaceAll(want, "gateway:test", "gateway:next")
				}
				if diff := cmp.Diff(want, template); diff != "" {
					t.Errorf("another image changes the template of %s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// What this operator writes can be read by an older one, and by its gateways: its API server takes the services, and what is recorded of
// accepted specs, and its contract has all that the configs have.
func TestRollbackToARelease(t *testing.T) {
	for _, r := range releases(t) {
		t.Run(r.name, func(t *testing.T) {
			defer define(t, crd.LLMServices, "after-"+r.name)
			s, before := r.upgrade(t)
			known := recordsOf(t, before)
			s.runUntilSettled(len(r.services(t)), nil)
			s.followDelivery(r)
			for _, name := range []string{"steady", "edited", "keyed"} { // what is delivered is of this operator from now on
				s.edit(r.services(t)[name], model("m3"))
			}
			s.settle()
			s.stop()
			r.deliveredIsReadable(t)
			define(t, r.crd, "back-in-"+r.name)
			for name, object := range r.present(t) {
				if object.GetKind() == v1alpha1.Kind {
					r.takes(t, name, object)
				}
			}
			for name, record := range recordsOf(t, r.present(t)) {
				for member := range record {
					if known["*"][member] == nil {
						t.Errorf("the record of %s has %q, which %s does not read", name, member, r.name)
					}
				}
				delete(record, "current")
				delete(record, "lastGood")
				delete(record, "secrets")
				accepted := &unstructured.Unstructured{Object: map[string]any{"spec": record}}
				accepted.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
				accepted.SetNamespace(s.namespace)
				accepted.SetName("accepted")
				if err := api.Create(t.Context(), accepted, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
					t.Errorf("%s refuses what is recorded of %s: %v", r.name, name, err)
				}
			}
		})
	}
}

// Manifests of a release are accepted, and give configs that its gateways read: they are given these while they are replaced, and
// those of a service that names its image have no others.
func TestManifestsOfARelease(t *testing.T) {
	for _, r := range releases(t) {
		for name, service := range r.manifestsOf(t) {
			contract, err := render.Contract(service)
			if err != nil {
				t.Errorf("%s of %s: %v", name, r.name, err)
				continue
			}
			document, err := config.Encode(contract)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.contract.reads(document); err != nil {
				t.Errorf("gateways of %s cannot read the config of %s: %v", r.name, name, err)
			}
		}
	}
}

// What gateways say has the same shapes in both releases: an operator follows gateways of an older one while they are replaced, and those
// of a newer one after a rollback.
func TestReportsOfARelease(t *testing.T) {
	present := shapesOf(reflect.TypeFor[report.Status]())
	for _, r := range releases(t) {
		for _, missing := range r.report.differences("Status", present, "Status") {
			t.Errorf("gateways of %s say %s", r.name, missing)
		}
		if len(r.report["Status"]) < 5 {
			t.Errorf("%s: recorded are %v: the test tests nothing", r.name, r.report)
		}
	}
}

// The recorded contract refuses what no gateway of it would read.
func TestContractOfAReleaseRefuses(t *testing.T) {
	for _, r := range releases(t) {
		for _, document := range []string{
			`{"version":"v1","colour":"red"}`, `{"version":1}`, `{"upstreams":{}}`, `{"upstreams":[{"name":"a","auth":{"key":{"secret":1}}}]}`, `[]`,
		} {
			if r.contract.reads([]byte(document)) == nil {
				t.Errorf("%s reads %s", r.name, document)
			}
		}
	}
}

// upgrade puts the release into the API server, and then the present definition, as an upgrade of the chart does.
func (r *release) upgrade(t *testing.T) (*system, map[string]*unstructured.Unstructured) {
	t.Helper()
	define(t, r.crd, "in-"+r.name)
	s := r.restore(t)
	before := r.present(t)
	define(t, crd.LLMServices, "up-from-"+r.name)
	return s, before
}

// runUntilSettled starts an operator and waits until it has looked at so many services, and writes nothing more.
func (s *system) runUntilSettled(services int, options func(*controllers.Options)) {
	s.t.Helper()
	seen := reconciles(s.t)
	s.options = options
	s.run(nil)
	eventually(s.t, "reconciles", func() error {
		if n := reconciles(s.t) - seen; n < float64(services) {
			return fmt.Errorf("%v of %d", n, services)
		}
		return nil
	})
	s.settle()
}

// followDelivery has each gateway that served what was delivered to it serve what is delivered now.
func (s *system) followDelivery(r *release) {
	s.t.Helper()
	for _, object := range r.objects {
		if object.GetKind() != "ConfigMap" {
			continue
		}
		current, _, _ := unstructured.NestedString(object.Object, "data", delivery.CurrentKey)
		service := &v1alpha1.LLMService{}
		service.Name = strings.TrimSuffix(object.GetName(), delivery.ConfigMapName(""))
		for pod, revision := range r.served {
			if gateway := s.fleet.gateways[pod]; gateway != nil && revision == delivery.Revision([]byte(current)) {
				gateway.serves(s.fleet.delivered(service))
			}
		}
	}
}

// sameChild fails unless a child is the object that it was, with the same owner and spec, applied by the same managers. What a
// ConfigMap holds is for others to compare.
func sameChild(t *testing.T, name string, was, is *unstructured.Unstructured) {
	t.Helper()
	if was.GetUID() != is.GetUID() {
		t.Errorf("%s is another object", name)
	}
	if diff := cmp.Diff(was.GetOwnerReferences(), is.GetOwnerReferences()); diff != "" {
		t.Errorf("owners of %s (-before +after):\n%s", name, diff)
	}
	if diff := cmp.Diff(appliers(was), appliers(is)); diff != "" {
		t.Errorf("managers that apply %s (-before +after):\n%s", name, diff)
	}
	spec := was.Object["spec"]
	if of, ok := spec.(map[string]any); ok && was.GetKind() == "PodDisruptionBudget" {
		of["maxUnavailable"] = "25%" // the default was 1; it replaces no pod
	}
	if was.GetKind() == "Deployment" {
		rollOnce(t, name, was)
	}
	if diff := cmp.Diff(spec, is.Object["spec"]); diff != "" {
		t.Errorf("%s (-before +after):\n%s", name, diff)
	}
}

// rollOnce makes in a recorded Deployment the changes for which this release replaces the pods of an older one, once
// (docs/decisions/0017-pods-are-placed-and-identified-by-the-platform.md). Any other change of a template is an error.
func rollOnce(t *testing.T, name string, deployment *unstructured.Unstructured) {
	t.Helper()
	pod, _, _ := unstructured.NestedMap(deployment.Object, "spec", "template", "spec")
	security, _ := pod["securityContext"].(map[string]any)
	if security["runAsUser"] != int64(65532) || security["fsGroup"] != int64(65532) || pod["topologySpreadConstraints"] == nil {
		t.Fatalf("%s has no reason to be replaced: %v", name, pod)
	}
	delete(security, "runAsUser") // the platform's, or the image's
	delete(security, "fsGroup")
	delete(security, "runAsGroup") // the container's
	pod["containers"].([]any)[0].(map[string]any)["securityContext"].(map[string]any)["runAsGroup"] = int64(65532)
	delete(pod, "topologySpreadConstraints") // the scheduler's own
	for _, volume := range pod["volumes"].([]any) {
		if secret, ok := volume.(map[string]any)["secret"].(map[string]any); ok && secret["defaultMode"] == int64(0o440) {
			secret["defaultMode"] = int64(0o444) // readable by any user, as the config is
		}
	}
	if err := unstructured.SetNestedMap(deployment.Object, pod, "spec", "template", "spec"); err != nil {
		t.Fatal(err)
	}
}

// followTemplates has each Deployment's controller keep up with the new template as it had with the one before.
func (s *system) followTemplates(before map[string]*unstructured.Unstructured) {
	s.t.Helper()
	for _, was := range before {
		if was.GetKind() != "Deployment" {
			continue
		}
		var deployment appsv1.Deployment
		deployment.Namespace, deployment.Name = was.GetNamespace(), was.GetName()
		s.editStatus(&deployment, func() {
			observed, _, _ := unstructured.NestedInt64(was.Object, "status", "observedGeneration")
			deployment.Status.ObservedGeneration = observed + deployment.Generation - was.GetGeneration()
		})
	}
}

// appliers are the managers that server-side apply knows of an object.
func appliers(object *unstructured.Unstructured) []string {
	var managers []string
	for _, entry := range object.GetManagedFields() {
		if entry.Operation == metav1.ManagedFieldsOperationApply {
			managers = append(managers, entry.Manager+"/"+entry.Subresource)
		}
	}
	slices.Sort(managers)
	return managers
}

// sameStatus fails unless a service's status says the same as before, and of the same times. Configs may have other names.
func sameStatus(t *testing.T, was, is *v1alpha1.LLMService) {
	t.Helper()
	ignored := cmp.Options{
		cmpopts.IgnoreFields(metav1.Condition{}, "Message"),
		cmpopts.IgnoreFields(v1alpha1.ConfigStatus{}, "Revision"),
		cmpopts.SortSlices(func(a, b metav1.Condition) bool { return a.Type < b.Type }),
	}
	is = is.DeepCopy()
	for i := range is.Status.Conditions {
		now := &is.Status.Conditions[i]
		rolled := now.Type == v1alpha1.ConditionReady || now.Type == v1alpha1.ConditionReconciling // while pods are replaced
		if then := meta.FindStatusCondition(was.Status.Conditions, now.Type); rolled && then != nil {
			now.LastTransitionTime = then.LastTransitionTime
		}
	}
	if diff := cmp.Diff(was.Status, is.Status, ignored); diff != "" {
		t.Errorf("status of %s (-before +after):\n%s", was.Name, diff)
	}
}

// deliveredIsReadable fails unless gateways of the release can read every config that is delivered.
func (r *release) deliveredIsReadable(t *testing.T) {
	t.Helper()
	for name, configMap := range configsOf(t, r) {
		for key, document := range configMap.Data {
			if err := r.contract.reads([]byte(document)); err != nil {
				t.Errorf("gateways of %s cannot read %s of %s: %v", r.name, key, name, err)
			}
		}
	}
}

// servedIsKept fails unless what gateways served before is delivered still, as the current config or as the last good one.
func (r *release) servedIsKept(t *testing.T) {
	t.Helper()
	for name, configMap := range configsOf(t, r) {
		known := map[string]bool{}
		for _, document := range configMap.Data {
			known[delivery.Revision([]byte(document))] = true
		}
		for pod, revision := range r.served {
			if strings.HasPrefix(pod, name+"-") && !known[revision] {
				t.Errorf("pod %s served %s, and its ConfigMap has %v", pod, revision, slices.Sorted(maps.Keys(known)))
			}
		}
	}
}

// templates are the pod templates of all Deployments.
func (s *system) templates() map[string]string {
	s.t.Helper()
	var deployments appsv1.DeploymentList
	if err := api.List(s.t.Context(), &deployments, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatal(err)
	}
	templates := map[string]string{}
	for i := range deployments.Items {
		encoded, err := json.MarshalIndent(deployments.Items[i].Spec.Template, "", " ")
		if err != nil {
			s.t.Fatal(err)
		}
		templates[deployments.Items[i].Name] = string(encoded)
	}
	return templates
}

// takes fails unless the definition that is served now takes a service, and its status, with nothing lost.
func (r *release) takes(t *testing.T, name string, object *unstructured.Unstructured) {
	t.Helper()
	for _, update := range []func(client.Object) error{
		func(o client.Object) error { return api.Update(t.Context(), o, client.DryRunAll) },
		func(o client.Object) error { return api.Status().Update(t.Context(), o, client.DryRunAll) },
	} {
		again := object.DeepCopy()
		again.SetLabels(map[string]string{"rolled": "back"})
		if err := update(again); err != nil {
			t.Errorf("%s refuses %s: %v", r.name, name, err)
			continue
		}
		for _, member := range []string{"spec", "status"} {
			if diff := cmp.Diff(object.Object[member], again.Object[member]); diff != "" {
				t.Errorf("%s loses of the %s of %s (-now +then):\n%s", r.name, member, name, diff)
			}
		}
	}
}

// recordsOf are what ConfigMaps among the objects record of accepted specs; those of all are under "*".
func recordsOf(t *testing.T, objects map[string]*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	records := map[string]map[string]any{}
	all := map[string]any{}
	for name, object := range objects {
		text, ok := object.GetAnnotations()[render.AcceptedAnnotation]
		if !ok {
			continue
		}
		var record map[string]any
		if err := json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&record); err != nil {
			t.Fatal(err)
		}
		records[name] = record
		maps.Copy(all, record)
	}
	records["*"] = all
	return records
}
