package node

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		layout Layout
		want   string // part of the error; empty for none
	}{
		"default":   {Layout{State: "/tmp/llmservice-k8s", Netns: "llmservice"}, ""},
		"relative":  {Layout{State: "state", Netns: "a"}, "absolute path"},
		"unclean":   {Layout{State: "/tmp/../etc", Netns: "a"}, "clean"},
		"root":      {Layout{State: "/", Netns: "a"}, "of its own"},
		"long":      {Layout{State: "/tmp/" + strings.Repeat("x", 60), Netns: "a"}, "at most 60"},
		"hidden":    {Layout{State: "/var/lib/x", Netns: "a"}, "/var/lib"},
		"hides":     {Layout{State: "/run", Netns: "a"}, "/run"},
		"beside":    {Layout{State: "/runs/x", Netns: "a"}, ""},
		"no netns":  {Layout{State: "/tmp/x"}, "--netns"},
		"path":      {Layout{State: "/tmp/x", Netns: "../x"}, "--netns"},
		"too long":  {Layout{State: "/tmp/x", Netns: strings.Repeat("x", 33)}, "--netns"},
		"one char":  {Layout{State: "/tmp/x", Netns: "a"}, ""},
		"nodes":     {Layout{State: "/tmp/x", Netns: "a", Nodes: MaxNodes + 1}, "--nodes"},
		"dash ends": {Layout{State: "/tmp/x", Netns: "a-"}, "--netns"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.layout.Validate()
			if tt.want == "" && err != nil {
				t.Error(err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestConfigsFollowTheLayout checks that two nodes share no path, be they of one cluster or of two: whatever a template writes down
// lies below the node's own directory, but for what the nodes of a cluster share.
func TestConfigsFollowTheLayout(t *testing.T) {
	first := Layout{State: filepath.Join(t.TempDir(), "first"), Netns: "second", Bin: "/bin", Nodes: 2}
	for name, l := range map[string]Layout{"the first node": first, "a worker": first.Workers()[0]} {
		t.Run(name, func(t *testing.T) {
			if err := l.writeConfigs("/opt/cni/bin"); err != nil {
				t.Fatal(err)
			}
			for path, wants := range map[string][]string{
				"containerd.toml":      {`root = "` + l.State, `address = "` + l.Containerd(), `bin_dir = "/opt/cni/bin"`, pauseImage},
				"kubelet.yaml":         {"unix://" + l.Containerd(), "cgroupRoot: /" + l.Cgroup() + "\n", controlPlaneIP, first.State + "/pki/ca.crt"},
				"cni/10-pods.conflist": {`"dataDir": "` + l.State, l.ownPods()},
				"Corefile":             {l.Kubeconfig(), "bind " + controlPlaneIP},
				"resolv.conf":          {},
			} {
				data, err := os.ReadFile(filepath.Join(l.State, path))
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range wants {
					if !strings.Contains(string(data), want) {
						t.Errorf("%s lacks %q:\n%s", path, want, data)
					}
				}
				if strings.Contains(string(data), "llmservice-k8s/") || strings.Contains(string(data), "<no value>") {
					t.Errorf("%s:\n%s", path, data)
				}
			}
		})
	}
}

// TestWorkersHaveTheirOwn: what two nodes of a cluster must not share differs between any two of them.
func TestWorkersHaveTheirOwn(t *testing.T) {
	first := Layout{State: "/tmp/x", Netns: "a", Nodes: MaxNodes}
	seen := map[string]string{}
	for _, l := range append(first.Workers(), first) {
		for _, own := range []string{l.Name(), l.nodeIP(), l.ownPods(), l.Containerd(), l.Cgroup(), l.Kubeconfig(), l.Status()} {
			if other, shared := seen[own]; shared {
				t.Errorf("%s and %s share %s", l.Name(), other, own)
			}
			seen[own] = l.Name()
		}
		if _, pods, err := net.ParseCIDR(podCIDR); err != nil || !pods.Contains(net.ParseIP(strings.TrimSuffix(l.ownPods(), "/24"))) {
			t.Errorf("the pods of %s, %s, are not within %s (%v)", l.Name(), l.ownPods(), podCIDR, err)
		}
	}
}

func TestKeysAreForRootAlone(t *testing.T) {
	l := Layout{State: t.TempDir(), Netns: "n", Nodes: 2}
	if _, err := l.writeKeys(); err != nil {
		t.Fatal(err)
	}
	keys, err := filepath.Glob(filepath.Join(l.State, "pki", "*"))
	if err != nil || len(keys) < 10 {
		t.Fatalf("files %v, %v", keys, err)
	}
	for _, key := range append(keys, l.Kubeconfig(), l.Workers()[0].Kubeconfig()) {
		info, err := os.Stat(key)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", key, info.Mode().Perm())
		}
	}
}

func TestUntil(t *testing.T) {
	errNotYet := errors.New("not yet")
	tests := map[string]struct {
		trueAfter time.Duration
		giveUp    error // cancels the wait after a second
		want      error
		took      time.Duration
	}{
		"at once":  {0, nil, nil, 0},
		"later":    {time.Second, nil, nil, time.Second},
		"never":    {time.Hour, nil, errNotYet, time.Minute},
		"given up": {time.Hour, context.Canceled, context.Canceled, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if tt.giveUp != nil {
					time.AfterFunc(time.Second, func() { cancel(tt.giveUp) })
				}
				begun := time.Now()
				err := until(ctx, time.Minute, func(context.Context) error {
					if time.Since(begun) < tt.trueAfter {
						return errNotYet
					}
					return nil
				})
				if !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				if took := time.Since(begun).Truncate(checkEvery); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
			})
		})
	}
}

func TestConditions(t *testing.T) {
	tests := map[string]struct{ object, want string }{
		"holds":  {`{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, ""},
		"false":  {`{"status":{"conditions":[{"type":"Ready","status":"False","message":"no network"}]}}`, "Ready=False: no network"},
		"absent": {`{"status":{"conditions":[{"type":"Other","status":"True"}]}}`, "no condition Ready"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var o conditioned
			if err := json.Unmarshal([]byte(tt.object), &o); err != nil {
				t.Fatal(err)
			}
			err := o.holds("Ready")
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
