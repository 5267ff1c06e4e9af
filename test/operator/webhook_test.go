package operator

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr/testr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/test/apiserver"
)

// webhookName is that of the Service and of the configuration in config/webhook, which the operator may write.
const webhookName = "llmservice-webhook"

// refusalBy begins what an API server says of a spec that the webhook refuses.
const refusalBy = `admission webhook "llmservices.serving.llmservice.dev" denied the request: `

// configureWebhook installs config/webhook's configuration with a Service that leads to a port on loopback, until the test ends.
func (s *system) configureWebhook(namespace string, policy admissionregistrationv1.FailurePolicyType, port int) {
	s.t.Helper()
	front := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: webhookName},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "localhost", Ports: []corev1.ServicePort{{Port: int32(port)}},
		},
	}
	manifest, err := os.ReadFile("../../config/webhook/webhook.yaml")
	if err != nil {
		s.t.Fatal(err)
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := sigsyaml.UnmarshalStrict(manifest, configuration); err != nil {
		s.t.Fatal(err)
	}
	hook := &configuration.Webhooks[0]
	hook.FailurePolicy = &policy
	hook.ClientConfig.Service.Namespace, hook.ClientConfig.Service.Port = namespace, new(int32(port))
	for _, object := range []client.Object{front, configuration} {
		if err := api.Create(s.t.Context(), object); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() {
			if err := api.Delete(context.Background(), object); err != nil {
				s.t.Error(err)
			}
		})
	}
}

// withWebhook has the operators that are run from now on serve the webhook.
func (s *system) withWebhook(policy admissionregistrationv1.FailurePolicyType) (port int) {
	s.t.Helper()
	port = freePort(s.t)
	s.options = func(o *controllers.Options) {
		o.Webhook = &controllers.Webhook{Port: port, Service: types.NamespacedName{Namespace: s.namespace, Name: webhookName}, Replica: "first"}
	}
	s.configureWebhook(s.namespace, policy, port)
	return port
}

// service is one that create would make.
func (s *system) service(name string, changes ...func(*v1alpha1.LLMService)) *v1alpha1.LLMService {
	service := &v1alpha1.LLMService{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec: v1alpha1.LLMServiceSpec{
			Upstreams: []v1alpha1.Upstream{{
				Name: "fast", Type: "OpenAI", OpenAI: &v1alpha1.OpenAIUpstream{Model: "m1"},
				Endpoints: []v1alpha1.Endpoint{{URL: "http://model.test.svc/v1"}},
			}},
			Models: []v1alpha1.Model{{Name: "assistant", Upstreams: []string{"fast"}}},
		},
	}
	for _, change := range changes {
		change(service)
	}
	return service
}

// isRefusal says that the webhook refused a spec, and that it was not just out of reach.
func isRefusal(err error) bool {
	return apierrors.IsInvalid(err) && strings.HasPrefix(err.Error(), refusalBy)
}

// awaitRefusal waits until API servers know the webhook and trust the operator, and returns the refusal of a broken service.
func (s *system) awaitRefusal() string {
	s.t.Helper()
	var refusal string
	eventually(s.t, "a refusal", func() error {
		err := api.Create(s.t.Context(), s.service("awaited", broken), client.DryRunAll)
		if !isRefusal(err) {
			return fmt.Errorf("no refusal: %w", err)
		}
		refusal = err.Error()
		return nil
	})
	return refusal
}

// user is a client who keeps the warnings that it gets.
type user struct {
	client.Client

	mu       sync.Mutex
	warnings []string
}

func newUser(t *testing.T) *user {
	t.Helper()
	u := &user{}
	config := rest.CopyConfig(restConfig)
	config.WarningHandler, config.WarningHandlerWithContext = u, nil
	var err error
	if u.Client, err = client.New(config, client.Options{Scheme: api.Scheme()}); err != nil {
		t.Fatal(err)
	}
	return u
}

// HandleWarningHeader implements rest.WarningHandler.
func (u *user) HandleWarningHeader(_ int, _, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.warnings = append(u.warnings, text)
}

func (u *user) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.warnings
	u.warnings = nil
	return taken
}

// A spec that cannot be served is refused when it is applied, in the words of its condition; everything else is stored.
func TestTheWebhookRefusesWhatCannotBeServed(t *testing.T) {
	s := start(t)
	bad := s.create("bad", broken)
	condition := s.awaitCondition(bad, v1alpha1.ConditionConfigValid, "False/Invalid")
	s.stop()
	s.withWebhook(admissionregistrationv1.Fail)
	s.run(nil)
	if got := s.awaitRefusal(); got != refusalBy+condition {
		t.Errorf("refused with %q, want %q", got, refusalBy+condition)
	}
	u := newUser(t)
	good := s.service("good")
	if err := u.Create(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	s.awaitCondition(good, v1alpha1.ConditionConfigValid, "True/Valid")
	if got := u.take(); len(got) > 0 {
		t.Errorf("a good one gets warnings: %q", got)
	}
	for name, tt := range map[string]struct {
		change  func(*v1alpha1.LLMService)
		refused bool
		warning string
	}{
		"a change for the worse": {broken, true, ""},
		"a reload":               {model("m2"), false, ""},
		"a replacement":          {func(l *v1alpha1.LLMService) { l.Spec.Runtime.MaxStreamDuration = "6m" }, false, "replaces the pods"},
		"long streams":           {func(l *v1alpha1.LLMService) { l.Spec.Runtime.MaxStreamDuration = "15m" }, false, "want 9m or less"},
	} {
		live := &v1alpha1.LLMService{}
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(good), live); err != nil {
			t.Fatal(err)
		}
		before := client.MergeFrom(live.DeepCopy())
		tt.change(live)
		err := u.Patch(t.Context(), live, before, client.DryRunAll)
		if isRefusal(err) != tt.refused || err != nil && !tt.refused {
			t.Errorf("%s: %v", name, err)
		}
		if got := strings.Join(u.take(), "\n"); (got != "") != (tt.warning != "") || !strings.Contains(got, tt.warning) {
			t.Errorf("%s: warnings %q, want %q", name, got, tt.warning)
		}
	}
	s.checkMetadata(bad)
}

// checkMetadata changes what a broken service has besides its spec, and deletes it.
func (s *system) checkMetadata(bad *v1alpha1.LLMService) {
	s.t.Helper()
	s.edit(bad, func(l *v1alpha1.LLMService) {
		l.Labels, l.Finalizers = map[string]string{"a": "b"}, []string{"example.com/held"}
	})
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 3}}
	if err := api.SubResource("scale").Update(s.t.Context(), bad, client.WithSubResourceBody(scale)); err != nil {
		s.t.Errorf("a broken service is not scaled: %v", err)
	}
	if err := api.Delete(s.t.Context(), bad); err != nil {
		s.t.Fatal(err)
	}
	s.edit(bad, func(l *v1alpha1.LLMService) { l.Finalizers = nil })
	eventually(s.t, "the deletion of "+bad.Name, func() error {
		if exists(s.t, client.ObjectKeyFromObject(bad), &v1alpha1.LLMService{}) {
			return errors.New("it is still there")
		}
		return nil
	})
}

// kubectl drops nulls without --server-side, and the webhook says so.
func TestTheWebhookWarnsOfDroppedNulls(t *testing.T) {
	s := alone(t)
	s.withWebhook(admissionregistrationv1.Fail)
	s.run(nil)
	s.awaitRefusal()
	assets, err := apiserver.Assets()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, config := filepath.Join(dir, "service.yaml"), filepath.Join(dir, "kubeconfig")
	const manifest = `apiVersion: serving.llmservice.dev/v1alpha1
kind: LLMService
metadata: {name: nulls}
spec:
  routes:
  - {path: /a, timeout: null, response: {body: {note: x, none: null}}}
`
	if err := errors.Join(os.WriteFile(file, []byte(manifest), 0o600), os.WriteFile(config, server.AdminKubeconfig, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		warn bool
	}{{[]string{"--server-side", "--dry-run=server"}, false}, {nil, true}} {
		args := append([]string{"apply", "-f", file, "--kubeconfig", config, "--namespace", s.namespace}, tt.args...)
		output, err := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("kubectl %v: %v: %s", args, err, output)
		}
		if warned := bytes.Contains(output, []byte("Warning: spec.routes[0].response.body.none: kubectl apply dropped null")); warned != tt.warn {
			t.Errorf("kubectl %v: warned: %t: %s", tt.args, warned, output)
		}
	}
}

// Without a manager, specs are stored unchecked; nothing but a spec waits for one even if the configuration says Fail, and no other
// kind ever does.
func TestTheWebhookIsNotInTheWay(t *testing.T) {
	for _, policy := range []admissionregistrationv1.FailurePolicyType{admissionregistrationv1.Ignore, admissionregistrationv1.Fail} {
		t.Run(string(policy), func(t *testing.T) {
			s := start(t)
			bad := s.create("bad", broken)
			s.awaitCondition(bad, v1alpha1.ConditionConfigValid, "False/Invalid")
			s.stop()
			s.withWebhook(policy)
			s.run(nil)
			s.awaitRefusal()
			s.stop()
			err := api.Create(t.Context(), s.service("unchecked", broken))
			if (err == nil) != (policy == admissionregistrationv1.Ignore) || isRefusal(err) {
				t.Errorf("without a manager: %v", err)
			}
			for _, object := range []client.Object{&corev1.ConfigMap{}, &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}} {
				object.SetNamespace(s.namespace)
				object.SetName("theirs")
				if err := api.Create(t.Context(), object); err != nil {
					t.Errorf("a %T: %v", object, err)
				}
			}
			s.checkMetadata(bad)
		})
	}
}

// expensive gives a service many routes with many expressions.
func expensive(service *v1alpha1.LLMService) {
	var properties, members []string
	for i := range 90 {
		properties = append(properties, fmt.Sprintf(`"p%d":{"type":"string","pattern":"^[a-z]{1,%d}$"}`, i, i+1))
		members = append(members, fmt.Sprintf(`"m%d":"${request.body.?p%d.orValue('x') + request.body.?p%d.orValue('y')}"`, i, i, (i+7)%90))
	}
	for i := range 30 {
		service.Spec.Routes = append(service.Spec.Routes, v1alpha1.Route{
			Path:     fmt.Sprintf("/r%d", i),
			Request:  &v1alpha1.Request{Schema: &v1alpha1.JSON{Raw: []byte(`{"type":"object","properties":{` + strings.Join(properties, ",") + `}}`)}},
			Response: v1alpha1.Response{Body: &v1alpha1.JSON{Raw: []byte(`{` + strings.Join(members, ",") + `}`)}},
		})
	}
}

// Twenty expensive specs that are applied at once are all admitted, checked or not, and hold up no other namespace.
func TestTwentyExpensiveSpecsAtOnce(t *testing.T) {
	s, other := alone(t), alone(t)
	// On a machine with much else to do, an answer may come too late for anybody's timeout: then the API server admits the spec.
	s.withWebhook(admissionregistrationv1.Ignore)
	var live admissionregistrationv1.ValidatingWebhookConfiguration
	live.Name = webhookName
	edit(t, &live, func() { live.Webhooks[0].TimeoutSeconds = new(int32(10)) })
	s.run(nil)
	s.awaitRefusal()
	u := newUser(t)
	errs := make(chan error, 20)
	for i := range cap(errs) {
		go func() {
			errs <- u.Create(t.Context(), s.service(fmt.Sprint("expensive-", i), expensive), client.DryRunAll)
		}()
	}
	if err := api.Create(t.Context(), other.service("broken", broken), client.DryRunAll); !isRefusal(err) {
		t.Errorf("another namespace meanwhile: %v, want a refusal", err)
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("an expensive one: %v", err)
		}
	}
	warnings := u.take()
	for _, warning := range warnings {
		if !strings.HasPrefix(warning, "the spec was not checked: ") {
			t.Errorf("warning %q", warning)
		}
	}
	t.Logf("%d of %d were not checked", len(warnings), cap(errs))
	s.awaitRefusal()
}

// bundle are the certificates that API servers trust.
func bundle(t *testing.T) []byte {
	t.Helper()
	var live admissionregistrationv1.ValidatingWebhookConfiguration
	if err := api.Get(t.Context(), client.ObjectKey{Name: webhookName}, &live); err != nil {
		t.Fatal(err)
	}
	return live.Webhooks[0].ClientConfig.CABundle
}

// Each replica serves, also one that does not lead, under a certificate of its own; one that restarts replaces its own, and a bundle
// that somebody overwrites is repaired.
func TestTheWebhooksCertificates(t *testing.T) {
	s := alone(t)
	s.allowLeases(s.namespace)
	port := s.withWebhook(admissionregistrationv1.Fail)
	webhook := s.options
	s.options = func(o *controllers.Options) {
		webhook(o)
		o.LeaderElection, o.Namespace, o.Installation, o.ClaimNamespace = true, s.namespace, s.namespace+"/manager", s.namespace
	}
	s.run(nil)
	s.awaitRefusal()
	standby := freePort(t)
	s.runStandby(standby)
	s.awaitTrusted(port, standby)
	var live admissionregistrationv1.ValidatingWebhookConfiguration
	live.Name = webhookName
	edit(t, &live, func() { live.Webhooks[0].ClientConfig.Service.Port = new(int32(standby)) })
	eventually(t, "the standby's refusal", func() error {
		if err := api.Create(t.Context(), s.service("bad", broken), client.DryRunAll); !isRefusal(err) {
			return fmt.Errorf("no refusal: %w", err)
		}
		return nil
	})
	edit(t, &live, func() {
		live.Webhooks[0].ClientConfig.Service.Port = new(int32(port))
		live.Webhooks[0].ClientConfig.CABundle = selfSignedPEM(t)
	})
	s.awaitTrusted(port, standby)
	before := bundle(t)
	s.stop()
	s.run(nil)
	s.awaitTrusted(port, standby)
	if bytes.Equal(before, bundle(t)) {
		t.Error("a manager that restarted has its former certificate")
	}
	s.awaitRefusal()
}

// runStandby runs another replica of the operator, until the test ends.
func (s *system) runStandby(port int) {
	s.t.Helper()
	options := controllers.Options{
		Gateway: render.GatewaySettings{Image: "gateway:test"}, ProbeAddress: "0", MetricsAddress: "0",
		PodAddress: s.fleet.address, Logger: testr.New(s.t),
	}
	s.options(&options)
	options.Webhook.Port, options.Webhook.Replica = port, "second"
	manager, err := controllers.NewManager(rest.CopyConfig(managerConfig), options)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("standby: %v", err)
		}
	})
}

// awaitTrusted waits until the bundle is all that is needed to trust each of the replicas.
func (s *system) awaitTrusted(ports ...int) {
	s.t.Helper()
	eventually(s.t, "trust in each replica", func() error {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(bundle(s.t))
		for _, port := range ports {
			connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port)), &tls.Config{
				RootCAs: roots, ServerName: webhookName + "." + s.namespace + ".svc",
			})
			if err != nil {
				return err
			}
			protocol := connection.ConnectionState().NegotiatedProtocol
			if err := connection.Close(); err != nil || slices.Contains([]string{"h2"}, protocol) {
				return fmt.Errorf("speaks %q: %w", protocol, err)
			}
		}
		return nil
	})
}

// selfSignedPEM is a certificate that nobody serves with.
func selfSignedPEM(t *testing.T) []byte {
	t.Helper()
	certificate, _ := selfSigned(t).CurrentCertKeyContent()
	return certificate
}
