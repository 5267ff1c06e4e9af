package main

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/controllers/render"
)

func TestFlags(t *testing.T) {
	const image = "--gateway-image=gateway:1"
	tests := []struct {
		name, args, namespace, wantErr string
	}{
		{name: "as the chart installs it", args: image + " --leader-elect --custom-metrics-service=metrics", namespace: "llmservice-system"},
		{name: "alone, without metrics", args: image + " --custom-metrics-port=0"},
		{name: "no image", args: "--custom-metrics-port=0", wantErr: "--gateway-image is required"},
		{name: "no Service", args: image, namespace: "llmservice-system", wantErr: "--custom-metrics-service is required"},
		{name: "no namespace for the Lease", args: image + " --leader-elect --custom-metrics-port=0", wantErr: "POD_NAMESPACE is required"},
		{name: "no namespace for the Service", args: image + " --custom-metrics-service=metrics", wantErr: "POD_NAMESPACE is required"},
		{name: "no installation", args: image + " --leader-elect --installation= --custom-metrics-port=0", namespace: "llmservice-system", wantErr: "--installation and --claim-namespace are required"},
		{name: "port", args: image + " --custom-metrics-port=70000", wantErr: "--custom-metrics-port is 70000, want 0 to 65535"},
		{name: "webhook", args: image + " --custom-metrics-port=0 --webhook-port=9443 --webhook-service=webhook", namespace: "llmservice-system"},
		{name: "no Service of the webhook", args: image + " --custom-metrics-port=0 --webhook-port=9443", namespace: "llmservice-system", wantErr: "--webhook-service is required with --webhook-port other than 0"},
		{name: "no namespace of the webhook", args: image + " --custom-metrics-port=0 --webhook-port=9443 --webhook-service=webhook", wantErr: "POD_NAMESPACE is required"},
		{name: "port of the webhook", args: image + " --custom-metrics-port=0 --webhook-port=-1", wantErr: "--webhook-port is -1, want 0 to 65535"},
		{name: "pull policy", args: image + " --custom-metrics-port=0 --gateway-pull-policy=Sometimes", wantErr: `--gateway-pull-policy is "Sometimes"`},
		{name: "a tag", args: image + " --custom-metrics-port=0 --allowed-gateway-image=mirror/gateway:v1", wantErr: "want a repository without tag"},
		{name: "anything", args: image + " --custom-metrics-port=0 --allowed-gateway-image=*", wantErr: "want a repository without tag"},
		{name: "image", args: "--gateway-image=gateway::1 --custom-metrics-port=0", wantErr: `--gateway-image is "gateway::1"`},
		{name: "level of gateways", args: image + " --custom-metrics-port=0 --gateway-log-level=loud", wantErr: `--gateway-log-level is "loud"`},
		{name: "networks of upstreams", args: image + " --custom-metrics-port=0 --gateway-allowed-address=10.0.0.1", wantErr: "want a network in CIDR notation"},
		{name: "networks of no upstreams", args: image + " --custom-metrics-port=0 --gateway-denied-address=10.0.0.1/8", wantErr: "want 10.0.0.0/8"},
		{name: "a proxy with a password", args: image + " --custom-metrics-port=0 --gateway-https-proxy=http://a:b@proxy:3128", wantErr: "want a proxy that needs none"},
		{name: "exceptions of a proxy", args: image + " --custom-metrics-port=0 --gateway-no-proxy=http://a", wantErr: "want names, addresses and networks"},
		{name: "host with a port", args: image + " --custom-metrics-port=0 --allowed-upstream-host=a.example.com:443", wantErr: "want the name of a host or its address"},
		{name: "namespace of Prometheus", args: image + " --custom-metrics-port=0 --monitoring-namespace=a.b", wantErr: "monitoring-namespace"},
		{name: "a pattern of namespaces", args: image + " --custom-metrics-port=0 --watch-namespaces=a,team-*", wantErr: `"team-*" is not the name of a namespace`},
		{name: "no namespace among others", args: image + " --custom-metrics-port=0 --watch-namespaces=a,", wantErr: `"" is not the name of a namespace`},
		{name: "roll-outs", args: image + " --custom-metrics-port=0 --max-concurrent-rollouts=-1", wantErr: "--max-concurrent-rollouts is -1, want 0 or more"},
		{name: "pull secret", args: image + " --custom-metrics-port=0 --gateway-image-pull-secret=A_b", wantErr: "gateway-image-pull-secret"},
		{name: "argument", args: image + " --custom-metrics-port=0 serve", wantErr: `unexpected argument "serve"`},
		{name: "level", args: image + " --log-level=loud", wantErr: "log-level"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(namespaceVariable, tt.namespace)
			f, err := parse(strings.Fields(tt.args))
			if (err != nil) != (tt.wantErr != "") || (err != nil && !strings.Contains(err.Error(), tt.wantErr)) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(render.GatewaySettings{Image: "gateway:1", OperatorNamespace: tt.namespace}, f.gateway); diff != "" {
				t.Errorf("gateway (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllowedImages(t *testing.T) {
	f, err := parse(strings.Fields("--gateway-image=gateway:1 --custom-metrics-port=0 --allowed-gateway-image=mirror:5000/gateway --allowed-gateway-image=mirror/team-a/*"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mirror:5000/gateway", "mirror/team-a/*"}, f.gateway.AllowedImages); diff != "" {
		t.Errorf("allowed images (-want +got):\n%s", diff)
	}
}

func TestWatchedNamespaces(t *testing.T) {
	for given, want := range map[string][]string{"": nil, "b": {"b"}, "b, a,b": {"a", "b"}} {
		f, err := parse([]string{"--gateway-image=gateway:1", "--custom-metrics-port=0", "--watch-namespaces=" + given})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.watched); diff != "" {
			t.Errorf("%q (-want +got):\n%s", given, diff)
		}
	}
}

func TestMemoryIsLimitedBelowTheContainers(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, tt := range []struct {
		name, limit, own string
		want             int64
	}{
		{name: "of the container", limit: "536870912", want: 483183819},
		{name: "none", want: before},
		{name: "no number", limit: "512Mi", want: before},
		{name: "set by hand", limit: "536870912", own: "1GiB", want: before},
	} {
		t.Run(tt.name, func(t *testing.T) {
			debug.SetMemoryLimit(before)
			t.Setenv("GOMEMLIMIT", tt.own)
			limitMemory(tt.limit)
			if got := debug.SetMemoryLimit(-1); got != tt.want {
				t.Errorf("limit %d, want %d", got, tt.want)
			}
		})
	}
}
