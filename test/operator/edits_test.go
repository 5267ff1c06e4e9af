package operator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// Many edits in quick succession end in the last one. What they cost is bounded by the time that they take: a config each 1.25 s, with a
// reminder or two of each pod.
func TestManyEditsCostFewWrites(t *testing.T) {
	s := alone(t)
	s.options = func(o *controllers.Options) { o.ConfigPause = 0 }
	s.run(nil)
	service := s.create("assistant")
	a, b := s.up(service)
	s.settle()
	pods := s.template(service)

	begun, ticker := time.Now(), time.NewTicker(200*time.Millisecond)
	defer ticker.Stop()
	const edits = 25
	for i := range edits {
		<-ticker.C
		s.edit(service, model(fmt.Sprint("m", i)))
	}
	key := client.ObjectKey{Namespace: s.namespace, Name: delivery.ConfigMapName(service.Name)}
	eventually(t, "the last edit", func() error {
		var documents corev1.ConfigMap
		if err := api.Get(t.Context(), key, &documents); err != nil {
			return err
		}
		if want := fmt.Sprintf("%q", fmt.Sprint("m", edits-1)); !strings.Contains(documents.Data[delivery.CurrentKey], want) {
			return fmt.Errorf("delivered is not the model %s", want)
		}
		return nil
	})
	took := time.Since(begun)
	last := s.fleet.delivered(service)
	a.serves(last)
	b.serves(last)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	configs := 0
	for _, write := range s.take() {
		if write.method == http.MethodPatch && strings.HasSuffix(write.path, "/configmaps/"+key.Name) {
			configs++
		}
	}
	if most := int(took/(1250*time.Millisecond)) + 1; configs == 0 || configs > most {
		t.Errorf("%d edits in %v are %d writes of the ConfigMap, want at most %d", edits, took.Round(time.Millisecond), configs, most)
	}
	if diff := cmp.Diff(pods, s.template(service)); diff != "" {
		t.Errorf("edits of the config replace pods (-before +after):\n%s", diff)
	}
}

// What kubectl rollout restart writes is kept, also by a later edit that replaces the pods, and is nothing to write about.
func TestARestartByHandIsKept(t *testing.T) {
	s := start(t)
	service := s.create("assistant", func(l *v1alpha1.LLMService) { l.Spec.Runtime = &v1alpha1.Runtime{Image: "gateway:v1"} })
	s.up(service)
	s.settle()

	const annotation = "kubectl.kubernetes.io/restartedAt"
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{%q:"2026-11-30T12:00:00Z"}}}}}`, annotation)
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: service.Name}}
	err := api.Patch(t.Context(), deployment, client.RawPatch(types.StrategicMergePatchType, []byte(patch)), client.FieldOwner("kubectl-rollout"))
	if err != nil {
		t.Fatal(err)
	}
	restarted := deployment.Generation
	s.fleet.rollOut(service)
	s.settle()
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(deployment), deployment); err != nil {
		t.Fatal(err)
	}
	if deployment.Generation != restarted {
		t.Errorf("the Deployment has generation %d, and had %d after the restart: the operator has written it", deployment.Generation, restarted)
	}
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")

	s.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Runtime.Image = "gateway:v2" })
	eventually(t, "the other image", func() error {
		if image := s.template(service).Spec.Containers[0].Image; image != "gateway:v2" {
			return fmt.Errorf("image %s", image)
		}
		return nil
	})
	if got := s.template(service).Annotations[annotation]; got == "" {
		t.Error("an edit takes the restart back, which replaces the pods once more")
	}
}

// A ConfigMap of another version of the contract stays, so that an upgrade and a rollback find the config of the gateways that they
// replace, and is nothing to report. It is owned by the service, and goes with it.
func TestTheConfigOfAnotherVersionStays(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	a, b := s.up(service)
	s.settle()
	configMap := &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: service.Name + "-config-v0", Labels: render.Labels(service),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(service, v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))},
		},
		Data: map[string]string{delivery.CurrentKey: `{"version":"v0"}`},
	}
	//nolint:staticcheck // an object is what the test has
	if err := api.Patch(t.Context(), configMap, client.Apply, client.FieldOwner(controllers.FieldOwner)); err != nil {
		t.Fatal(err)
	}
	before := s.fleet.delivered(service)
	s.edit(service, model("m2"))
	after := s.fleet.awaitDelivery(service, before)
	a.serves(after)
	b.serves(after)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	if !exists(t, client.ObjectKeyFromObject(configMap), configMap) {
		t.Error("the config of another release's gateways was deleted")
	}
}
