//go:build record

package operator

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/config/crd"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// TestTheReleaseFollowsThisOperator: the manager of an older commit, which LLMSERVICE_MANAGER names, takes over what the present operator
// wrote: it changes no child, says the same of each service, and delivers the next edit. .ci/roll-back builds that manager and runs this.
func TestTheReleaseFollowsThisOperator(t *testing.T) {
	for _, r := range releases(t) {
		if r.name != os.Getenv("LLMSERVICE_RELEASE") {
			continue
		}
		pods := r.onLoopback(t)
		defer define(t, crd.LLMServices, "after-"+r.name)
		s, _ := r.upgrade(t)
		for pod, address := range pods {
			s.fleet.gateways[pod].listen(t, address)
		}
		s.runUntilSettled(len(r.services(t)), nil)
		s.followDelivery(r)
		for _, name := range []string{"steady", "edited", "keyed"} {
			service := r.services(t)[name]
			next := s.deliver(service, model("m3"))
			s.fleet.gateways[name+"-a"].serves(next)
			s.fleet.gateways[name+"-b"].serves(next)
			s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
		}
		s.settle()
		s.stop()
		before, services := r.present(t), r.services(t)

		define(t, r.crd, "back-in-"+r.name)
		p := s.startProgram(os.Getenv("LLMSERVICE_MANAGER"), "--gateway-image=gateway:test", "--health-probe-bind-address=:8081",
			"--metrics-bind-address=0", "--custom-metrics-port=0")
		p.awaitReady()
		awaitQuiet(t, r)
		for name, object := range r.present(t) {
			sameChild(t, name, before[name], object)
			if diff := cmp.Diff(before[name].Object["data"], object.Object["data"]); diff != "" {
				t.Errorf("%s (-before +after):\n%s", name, diff)
			}
		}
		for name, service := range r.services(t) {
			sameStatus(t, services[name], service)
		}
		s.deliver(r.services(t)["steady"], model("m4"))
		return
	}
	t.Fatalf("LLMSERVICE_RELEASE is %q, which is not recorded", os.Getenv("LLMSERVICE_RELEASE"))
}

// onLoopback gives each pod of the release an address of its own on loopback, where a manager asks for its status.
func (r *release) onLoopback(t *testing.T) map[string]string {
	t.Helper()
	addresses := map[string]string{}
	for i, object := range r.objects {
		if object.GetKind() != "Pod" {
			continue
		}
		address := fmt.Sprintf("127.77.0.%d", i)
		addresses[object.GetName()] = address
		err := errors.Join(
			unstructured.SetNestedField(object.Object, address, "status", "podIP"),
			unstructured.SetNestedSlice(object.Object, []any{map[string]any{"ip": address}}, "status", "podIPs"),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	return addresses
}

// listen has the gateway answer at the port of the admin listener, too.
func (g *gateway) listen(t *testing.T, address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(address, strconv.Itoa(delivery.AdminPort)))
	if err != nil {
		t.Fatal(err)
	}
	admin := &http.Server{Handler: g, ReadHeaderTimeout: patience}
	go func() { _ = admin.Serve(listener) }()
	t.Cleanup(func() { _ = admin.Close() })
}

// awaitQuiet waits until none of the release's objects has changed for five seconds.
func awaitQuiet(t *testing.T, r *release) {
	t.Helper()
	versions, since := map[string]string{}, time.Now()
	eventually(t, "quiet", func() error {
		changed := ""
		for name, object := range r.present(t) {
			if versions[name] != object.GetResourceVersion() {
				versions[name], changed = object.GetResourceVersion(), name
			}
		}
		if changed != "" {
			since = time.Now()
			return fmt.Errorf("%s changes", changed)
		}
		if quiet := time.Since(since); quiet < 5*time.Second {
			return fmt.Errorf("quiet for %v", quiet)
		}
		return nil
	})
}
