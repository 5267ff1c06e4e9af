//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

const (
	// meshPort of the Service leads to proxyPort of the pods, where a stand-in for a mesh's proxy relays to the gateway.
	meshPort, proxyPort = 81, 15001
	// agentPort is where a stand-in for an agent of a vault takes another key.
	agentPort = 15002
	// keyFile is where the agent writes the key, and the gateway reads it.
	keyFile = "/vault/key"
	// rightKey is the one that the upstream wants, and that each agent begins with.
	rightKey = "the-key"
	// filesWithin is the time until a gateway uses a key of a file that has changed.
	filesWithin = 30 * time.Second
)

// sidecars are a native sidecar that relays connections and keeps a file, and a second container that ends as soon as it is told to. The
// gateway starts once the file is there.
const sidecars = `
spec:
  volumes:
  - {name: vault, emptyDir: {}}
  initContainers:
  - name: proxy
    image: IMAGE
    restartPolicy: Always
    args: [sidecar, -relay=:15001, -to=127.0.0.1:8080, -files=:15002, -file=/vault/key, -content=the-key]
    securityContext: &restricted {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    startupProbe: {periodSeconds: 1, failureThreshold: 60, tcpSocket: {port: 15002}}
    volumeMounts: [{name: vault, mountPath: /vault}]
  containers:
  - name: gateway
    volumeMounts: [{name: vault, mountPath: /vault, readOnly: true}]
  - name: hasty
    image: IMAGE
    args: [sidecar, -relay=:15003]
    securityContext: *restricted
`

// TestSidecars runs gateways with a stand-in for a mesh's proxy, through which all streams pass, one for an agent that writes the key to
// a file, and a container that ends at once. A key that the agent replaces is used without a restart, and of a pod that is deleted no
// stream is cut, neither directly nor through the proxy.
func TestSidecars(t *testing.T) {
	ctx := boundedBy(t, 2*testWithin)
	t.Cleanup(func() { must(cluster.Install(context.WithoutCancel(ctx)))(t) })
	must(cluster.Install(ctx, "gateway.allowedImages[0]="+render.Repository(cluster.Images.Mock)))(t)
	f := startWithSidecars(ctx, t)
	mesh := must(f.meshURL(ctx))(t)
	f.rotate(ctx, t, mesh)

	const clients = 20
	direct, through := f.crowdAt(ctx, f.url, clients), f.crowdAt(ctx, mesh, clients)
	ok(t, errors.Join(direct.AwaitOpen(ctx, clients), through.AwaitOpen(ctx, clients)))
	pod := must(f.Live(ctx))(t)[0]
	if open := must(scenario.Status(ctx, &pod))(t).Streams.Open; open == 0 {
		t.Fatal("no stream is open on the pod: nothing would be shown")
	}
	ok(t, cluster.Delete(ctx, &pod))
	must(scenario.Await(ctx, scenario.RolledWithin, "the pod has gone, and has a successor", func(ctx context.Context) error {
		pods, err := f.Pods(ctx)
		if err != nil {
			return err
		}
		live, err := f.Live(ctx)
		if err == nil && (len(pods) != 2 || len(live) != 2) {
			err = fmt.Errorf("%d pods, of which %d are live", len(pods), len(live))
		}
		return err
	}))(t)
	for name, crowd := range map[string]*streams.Crowd{"direct": direct, "through the proxy": through} {
		tally := must(crowd.Finish(ctx))(t)
		t.Logf("%s: %s", name, tally)
		if tally.Lost() > 0 || tally.Done == 0 {
			t.Errorf("%s: want every stream done: %s", name, tally)
		}
	}
	if own := must(cluster.CutStreams(ctx, f.Service))(t); own != 0 {
		t.Errorf("the gateways count %d cut streams", own)
	}
}

// startWithSidecars starts a service of two replicas whose upstream wants the key that their agents write.
func startWithSidecars(ctx context.Context, t *testing.T) *fixture {
	t.Helper()
	f := &fixture{namespace: namespace(ctx, t, "sidecars")}
	ok(t, cluster.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "upstream"}, StringData: map[string]string{"key": rightKey},
	}))
	f.upstream = must(cluster.StartUpstream(ctx, f.namespace, scenario.UpstreamOptions{KeySecret: "upstream", Key: "key"}))(t)
	template := must(yaml.YAMLToJSON([]byte(strings.ReplaceAll(sidecars, "IMAGE", cluster.Images.Mock))))(t)
	f.Service = must(cluster.ApplySample(ctx, f.namespace, func(s *v1alpha1.LLMService) {
		small(s)
		callOnly(s, f.upstream)
		s.Spec.Replicas = new(int32(2))
		s.Spec.Upstreams[0].Auth = &v1alpha1.UpstreamAuth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{
			File: &v1alpha1.FileSource{Path: keyFile},
		}}
		if s.Spec.Runtime == nil {
			s.Spec.Runtime = &v1alpha1.Runtime{}
		}
		s.Spec.Runtime.PodTemplate = &v1alpha1.JSON{Raw: template}
		if s.Spec.Exposure == nil {
			s.Spec.Exposure = &v1alpha1.Exposure{}
		}
		if s.Spec.Exposure.Service == nil {
			s.Spec.Exposure.Service = &v1alpha1.ServiceExposure{Port: 80}
		}
		s.Spec.Exposure.Service.Ports = []v1alpha1.ServicePort{{Name: "mesh", Port: meshPort, TargetPort: new(intstr.FromInt32(proxyPort))}}
	}))(t)
	f.url = must(f.URL(ctx))(t)
	must(f.AwaitReplicas(ctx, scenario.ReadyWithin, "two replicas", func(n int) bool { return n == 2 }))(t)
	return f
}

// meshURL is where clients reach the gateways through their proxies.
func (f *fixture) meshURL(ctx context.Context) (string, error) {
	var service corev1.Service
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: f.namespace, Name: f.Name()}, &service); err != nil {
		return "", err
	}
	return "http://" + net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(meshPort)), nil
}

// rotate has the agent of each replica replace the key by a wrong one, and that by the right one again. Both are used without a restart.
func (f *fixture) rotate(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	lives, revision := must(f.Lives(ctx))(t), must(f.Revision(ctx))(t)
	live := must(f.Live(ctx))(t)
	if len(live) != 2 {
		t.Fatalf("%d replicas are live, want 2", len(live))
	}
	for _, of := range []struct {
		key    string
		ending streams.Ending
	}{{"a-wrong-key", streams.Refused}, {rightKey, streams.Done}} {
		for _, pod := range live {
			ok(t, replaceKey(ctx, &pod, of.key))
		}
		took := must(scenario.Await(ctx, filesWithin, "each replica uses "+of.key, endingEach(url, of.ending)))(t)
		t.Logf("%s was used by all after %s", of.key, took.Round(time.Millisecond))
	}
	ok(t, f.CheckLives(ctx, lives))
	if now := must(f.Revision(ctx))(t); now != revision {
		t.Errorf("the config is %s now, and was %s: a key is not a part of it", now, revision)
	}
}

// endingEach fails until ten requests in a row have ended so: by then, each of two replicas has answered some.
func endingEach(url string, ending streams.Ending) func(context.Context) error {
	row := 0
	return func(ctx context.Context) error {
		if got := streams.Stream(ctx, streams.NewClient(), scenario.Ask(url)(streams.Script{Tokens: 2}), nil); got.Ending != ending {
			row = 0
			return errors.New(got.String())
		}
		if row++; row < 10 {
			return fmt.Errorf("%d requests in a row ended so", row)
		}
		return nil
	}
}

// replaceKey sends a pod's agent another key.
func replaceKey(ctx context.Context, pod *corev1.Pod, key string) error {
	url := "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(agentPort))
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, strings.NewReader(key))
	if err != nil {
		return err
	}
	resp, err := streams.NewClient().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("PUT %s: %s", url, resp.Status)
	}
	return nil
}

// crowdAt is a crowd whose streams last several seconds.
func (f *fixture) crowdAt(ctx context.Context, url string, clients int) *streams.Crowd {
	return streams.Gather(ctx, streams.NewClient(), clients, func(client, round int) streams.Call {
		return scenario.Ask(url)(streams.Script{Tokens: 40 + (7*client+11*round)%31, Pace: 200 * time.Millisecond})
	})
}
