package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/test/apiserver"
)

// installation is one of the chart: its manager runs in this process, as a user who has exactly the rights that Helm renders.
type installation struct {
	*system

	// name is that of the release, and of its namespace.
	name string
	user string
	// objects are what Helm renders; rights are those that the manager gets by them.
	objects []unstructured.Unstructured
	rights  []right
	flags   map[string]string
	// webhook is the port of the webhook, and metricsAPI where the metrics API is served; both are zero if the values turn them off.
	webhook    int
	metricsAPI net.Listener
	// metrics is the port of the manager's own metrics.
	metrics    int
	kubeconfig string
}

// installChart gives the manager of a release its rights, until the test ends. The values are as --set takes them.
func installChart(t *testing.T, name string, values ...string) *installation {
	t.Helper()
	i := &installation{system: alone(t), flags: map[string]string{}, metrics: freePort(t)}
	i.name = name + "-" + strings.TrimPrefix(i.namespace, "test-")
	i.user = "system:serviceaccount:" + i.name + ":" + i.name + "-manager"
	own := &corev1.Namespace{}
	own.Name = i.name
	if err := api.Create(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	i.objects = renderChart(t, i.name, values...)
	for n := range i.objects {
		i.apply(&i.objects[n])
	}
	config, kubeconfig, err := server.AddUser(envtest.User{Name: i.user, Groups: []string{"system:serviceaccounts", audited}})
	if err != nil {
		t.Fatal(err)
	}
	i.config, i.kubeconfig = config, filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(i.kubeconfig, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	i.awaitRights()
	i.options = i.configure
	return i
}

// renderChart is what Helm makes of the chart for a release in a namespace of its name.
func renderChart(t *testing.T, name string, values ...string) []unstructured.Unstructured {
	t.Helper()
	assets, err := apiserver.Assets()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"template", name, chart, "--namespace", name, "--set", "crds.install=false"}
	for _, value := range values {
		args = append(args, "--set", value)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(assets, "helm"), args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("helm %v: %v: %s", args, err, stderr.Bytes())
	}
	var objects []unstructured.Unstructured
	for document := range strings.SplitSeq(string(output), "\n---") {
		var object unstructured.Unstructured
		if err := sigsyaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
	return objects
}

// apply creates an object if it is about rights, or leads the API server to the manager.
func (i *installation) apply(object *unstructured.Unstructured) {
	i.t.Helper()
	switch object.GetKind() {
	case "RoleBinding", "ClusterRoleBinding":
		i.put(object.DeepCopy())
		i.grant(object)
	case "Role", "ClusterRole", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
		i.put(object.DeepCopy())
	case "ValidatingWebhookConfiguration":
		i.webhook = freePort(i.t)
		i.lead(object)
	case "Deployment":
		args, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
		if err != nil || len(args) != 1 {
			i.t.Fatalf("the Deployment has %d containers: %v", len(args), err)
		}
		flags, _, err := unstructured.NestedStringSlice(args[0].(map[string]any), "args")
		if err != nil {
			i.t.Fatal(err)
		}
		for _, flag := range flags {
			name, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
			i.flags[name] = value
		}
	}
}

func (i *installation) put(object client.Object) {
	i.t.Helper()
	if err := api.Create(i.t.Context(), object); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() {
		if err := api.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
			i.t.Error(err)
		}
	})
}

// lead creates the webhook's configuration with the port on loopback, and the Service that it names.
func (i *installation) lead(configuration *unstructured.Unstructured) {
	i.t.Helper()
	hooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	if err == nil {
		err = unstructured.SetNestedField(hooks[0].(map[string]any), int64(i.webhook), "clientConfig", "service", "port")
	}
	if err == nil {
		err = unstructured.SetNestedSlice(configuration.Object, hooks, "webhooks")
	}
	if err != nil {
		i.t.Fatal(err)
	}
	front := &corev1.Service{Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeExternalName, ExternalName: "localhost", Ports: []corev1.ServicePort{{Port: int32(i.webhook)}},
	}}
	front.Namespace, front.Name = i.name, configuration.GetName()
	i.put(front)
	i.put(configuration.DeepCopy())
}

// grant notes the rights of a binding. Those of a role that Kubernetes has are not the chart's.
func (i *installation) grant(binding *unstructured.Unstructured) {
	i.t.Helper()
	kind, _, _ := unstructured.NestedString(binding.Object, "roleRef", "kind")
	name, _, _ := unstructured.NestedString(binding.Object, "roleRef", "name")
	for n := range i.objects {
		role := &i.objects[n]
		if role.GetKind() != kind || role.GetName() != name || kind == "Role" && role.GetNamespace() != binding.GetNamespace() {
			continue
		}
		var rules struct{ Rules []rbacv1.PolicyRule }
		encoded, err := role.MarshalJSON()
		if err == nil {
			err = sigsyaml.Unmarshal(encoded, &rules)
		}
		if err != nil {
			i.t.Fatal(err)
		}
		i.rights = append(i.rights, rightsOf(binding.GetNamespace(), rules.Rules)...)
	}
}

// awaitRights waits until the API server knows each.
func (i *installation) awaitRights() {
	i.t.Helper()
	for _, right := range i.rights {
		resource, sub, _ := strings.Cut(right.resource, "/")
		eventually(i.t, "the right to "+right.String(), func() error {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: i.user,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: right.namespace, Verb: right.verb, Group: right.group, Resource: resource, Subresource: sub, Name: right.name,
				},
			}}
			if err := api.Create(i.t.Context(), review); err != nil {
				return err
			}
			if !review.Status.Allowed {
				return errors.New(review.Status.Reason)
			}
			return nil
		})
	}
}

// configure has an operator do what the chart's flags say.
func (i *installation) configure(o *controllers.Options) {
	o.Gateway = render.GatewaySettings{Image: i.flags["gateway-image"]}
	o.LeaderElection, o.Namespace = true, i.name
	o.Installation, o.ClaimNamespace, o.ClaimExpiry = i.name+"/"+i.flags["installation"], i.flags["claim-namespace"], expiry
	if watched := i.flags["watch-namespaces"]; watched != "" {
		o.Namespaces = strings.Split(watched, ",")
		slices.Sort(o.Namespaces)
	}
	if _, secure := i.flags["secure-metrics"]; secure {
		o.SecureMetrics, o.MetricsAddress = true, fmt.Sprintf("127.0.0.1:%d", i.metrics)
	}
	if i.webhook > 0 {
		o.Webhook = &controllers.Webhook{
			Port: i.webhook, Service: types.NamespacedName{Namespace: i.name, Name: i.flags["webhook-service"]}, Replica: "manager-0",
		}
	}
}

// runChart runs the manager.
func (i *installation) runChart() {
	i.t.Helper()
	service := i.flags["custom-metrics-service"]
	if service == "" {
		i.run(nil)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		i.t.Fatal(err)
	}
	i.metricsAPI = listener
	i.register(i.name, service, int32(listener.Addr().(*net.TCPAddr).Port))
	i.run(&controllers.CustomMetrics{
		Listener: listener, Service: types.NamespacedName{Namespace: i.name, Name: service}, Replica: "manager-0", Kubeconfig: i.kubeconfig,
	})
}
