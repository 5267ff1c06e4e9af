package faults

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// script is what people do, step by step; each step waits for the one before as far as the fault lets it.
type script struct {
	name  string
	about string
	steps []step
	// loose says that people delete what tells of the last good config: what it is then depends on when.
	loose bool
	// together is how many more writes of one kind there may be than undisturbed: how many changes are written together is chance.
	together int
}

type step struct {
	name string
	do   func(*run)
}

// name is that of the service that most scripts are about.
const name = "assistant"

type changes = func(*v1alpha1.LLMService)

func creates(with ...changes) step {
	return step{"create", func(r *run) { r.create(name, with...) }}
}

func does(what string, with ...changes) step {
	return step{what, func(r *run) { r.change(name, with...) }}
}

func scales(n int32) step { return step{"scale", func(r *run) { r.scale(name, n) }} }

func removes(kind, child string) step {
	return step{"delete the " + kind, func(r *run) { r.remove(kind, child) }}
}

func edits(kind, child string, change func(client.Object)) step {
	return step{"edit the " + kind + " by hand", func(r *run) { r.byHand(kind, child, change) }}
}

func model(name string) changes {
	return func(s *v1alpha1.LLMService) { s.Spec.Upstreams[0].OpenAI.Model = name }
}

func image(name string) changes { return func(s *v1alpha1.LLMService) { s.Spec.Runtime.Image = name } }

func longest(d v1alpha1.Duration) changes {
	return func(s *v1alpha1.LLMService) { s.Spec.Runtime.MaxStreamDuration = d }
}

func port(n int32) changes {
	return func(s *v1alpha1.LLMService) {
		s.Spec.Exposure = &v1alpha1.Exposure{Service: &v1alpha1.ServiceExposure{Port: n}}
	}
}

func secret(name string) changes {
	return func(s *v1alpha1.LLMService) {
		s.Spec.Upstreams[0].Auth = &v1alpha1.UpstreamAuth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{
			SecretKeyRef: &v1alpha1.SecretKeyReference{Name: name, Key: "key"},
		}}
	}
}

func autoscaled(least, most int32) changes {
	return func(s *v1alpha1.LLMService) {
		s.Spec.Scaling = &v1alpha1.Scaling{MinReplicas: least, MaxReplicas: most, Metrics: []v1alpha1.Metric{
			{Name: "streams", Type: v1alpha1.MetricInFlight, AverageValue: 10},
		}}
	}
}

func manual(s *v1alpha1.LLMService) { s.Spec.Scaling = nil }

// broken names an upstream that there is not: the API lets it pass, the config's validation does not.
func broken(s *v1alpha1.LLMService) { s.Spec.Models[0].Upstreams = []string{"nowhere"} }

func repaired(s *v1alpha1.LLMService) { s.Spec.Models[0].Upstreams = []string{"fast"} }

var documents = delivery.ConfigMapName(name)

// scripts are all that is played.
var scripts = []script{
	{name: "configure", about: "create, then change the config twice", steps: []step{
		creates(), does("change the config", model("m2")), does("change the config again", model("m3")),
	}},
	{name: "roll", about: "create, then change what replaces pods", steps: []step{
		creates(), does("change the image", image("gateway:v2")),
		does("change grace and config", longest("1m"), model("m2")), does("change the config", model("m3")),
	}},
	{name: "scale", about: "create, scale up and down", steps: []step{creates(), scales(5), scales(2), does("change the config", model("m2"))}},
	{name: "break", about: "break the spec in every part, scale, and repair it", steps: []step{
		creates(autoscaled(1, 5)), does("change the config", model("m2")),
		does("break", broken, model("m3"), image("gateway:v2"), longest("1m"), port(8888), autoscaled(2, 9)),
		scales(3), does("repair", repaired),
	}},
	{name: "secret", about: "rename a Secret, then change the config", steps: []step{
		creates(secret("first")), does("rename the Secret", secret("second")),
		does("change the config", model("m2")), does("change the config again", model("m3")),
	}},
	{name: "autoscale", about: "scale by an autoscaler, change it, remove it, and add it again", steps: []step{
		creates(autoscaled(3, 5)), does("raise the bounds", autoscaled(4, 6)), does("remove the autoscaler", manual),
		scales(2), does("add the autoscaler", autoscaled(3, 3)),
	}},
	{name: "recreate", about: "delete a service and create another of its name", steps: []step{
		creates(model("m1"), autoscaled(1, 5)), does("change the config", model("m2")),
		removes("LLMService", name), creates(model("m3"), image("gateway:v2")),
	}},
	{name: "by hand", loose: true, about: "edit and delete children by hand", steps: []step{
		creates(autoscaled(1, 5)), does("change the config", model("m2")),
		edits("Deployment", name, func(o client.Object) {
			d := o.(*appsv1.Deployment)
			d.Spec.Replicas, d.Spec.Paused, d.Spec.Template.Spec.Containers[0].Image = new(int32(7)), true, "other"
		}),
		edits("ConfigMap", documents, func(o client.Object) { o.(*corev1.ConfigMap).Data[delivery.CurrentKey] = "{}" }),
		edits("Service", name, func(o client.Object) { o.(*corev1.Service).Spec.Ports[0].Port = 81 }),
		edits("PodDisruptionBudget", name, func(o client.Object) {
			o.(*policyv1.PodDisruptionBudget).Spec.MaxUnavailable = new(intstr.FromInt32(2))
		}),
		removes("Service", name), removes("HorizontalPodAutoscaler", name), removes("ServiceAccount", name), removes("ConfigMap", documents),
		does("change the config", model("m3")), removes("Deployment", name),
	}},
	{name: "foreign", about: "an object of somebody else has a child's name, until it is removed", steps: []step{
		{"take the name", func(r *run) { r.foreign() }},
		creates(), does("change the config", model("m2")), scales(3),
		removes("Service", name), does("look again", func(s *v1alpha1.LLMService) { s.Annotations = map[string]string{"look": "again"} }),
	}},
	{name: "stricter", about: "the operator is replaced by one that refuses an image that it allowed", steps: []step{
		{"allow", func(r *run) { r.release("elsewhere/gateway") }},
		creates(image("elsewhere/gateway:v1")), does("change the config", model("m2")),
		{"refuse", func(r *run) { r.release() }},
		scales(3),
		does("use an image that is allowed", image("gateway:v2")),
	}},
	{name: "image", about: "an image is asked for that is not allowed", steps: []step{
		creates(), does("steal", image("thief/gateway:v1"), model("m2")), scales(3), does("repair", image(""), model("m3")),
	}},
	{name: "cut", about: "a replica is lost with its streams, and the service is created again", steps: []step{
		creates(),
		{"lose a replica", func(r *run) { r.lose() }},
		removes("LLMService", name), creates(model("m2")),
	}},
	{name: "hurry", together: 7, about: "many changes that do not wait for each other", steps: []step{
		{"all at once", func(r *run) {
			r.create(name)
			for _, c := range [][]changes{
				{model("m2")}, {image("gateway:v2")}, {autoscaled(1, 6)}, {broken, model("m4")}, {repaired, secret("keys")}, {manual}, {model("m5")},
			} {
				r.change(name, c...)
			}
		}},
	}},
	{name: "namespace", about: "delete the namespace, with a child, the service and the rest following one by one", steps: []step{
		creates(), {"delete the namespace", func(r *run) { r.leave() }}, removes("Service", name), scales(1), removes("LLMService", name),
	}},
	{name: "two services", about: "two services of one namespace", steps: []step{
		creates(), {"create another", func(r *run) { r.create("second", model("m7")) }}, does("change the config", model("m2")), scales(3),
	}},
}

// foreign takes the name of a child.
func (r *run) foreign() {
	r.does("create somebody's Service", func() error {
		return api.Create(context.Background(), &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 5432}}},
		})
	})
}

// leave deletes the namespace. Nobody empties it here, but nothing can be created in it any more.
func (r *run) leave() {
	r.left = true
	r.does("delete the namespace", func() error {
		return api.Delete(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}})
	})
}

// release replaces the operators by ones that allow other images.
func (r *run) release(allowed ...string) {
	r.state.Lock()
	n := len(r.operators)
	r.state.Unlock()
	r.stop()
	r.mu.Lock()
	r.state.Lock()
	r.gateway.AllowedImages = allowed
	r.state.Unlock()
	r.mu.Unlock()
	for range max(n, 1) {
		r.start()
	}
}

// lose takes a pod away that has streams open.
func (r *run) lose() {
	r.does("lose a replica", func() error {
		c, err := r.observe(context.Background())
		if err != nil {
			return err
		}
		for i := range c.pods {
			if g := r.player.gateway(c.pods[i].Name); g != nil {
				g.set(func(s *report.Status) { s.Streams = report.Streams{Opened: 5, Open: 3, Done: 2} })
			}
		}
		return nil
	})
	r.awaitPoll()
	r.does("lose a replica", func() error {
		c, err := r.observe(context.Background())
		if err != nil || len(c.pods) == 0 {
			return err
		}
		return r.player.end(context.Background(), &c.pods[0])
	})
}
