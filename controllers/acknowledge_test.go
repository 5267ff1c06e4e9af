package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

var moment = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func pod(name string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name, UID: types.UID(name)}}
}

var refusedKey = report.RefusedKey{Upstream: "fast", SecretFile: config.SecretFile{Secret: "s", Key: "k"}, Since: time.Unix(36, 0)}

func TestAcknowledge(t *testing.T) {
	encoded, err := config.Encode(&config.Config{Version: config.Version, Upstreams: []config.Upstream{
		{Name: "fast", Auth: &config.Auth{Bearer: &config.SecretFile{File: config.FileSource{Path: "/m/a"}}}},
		{Name: "slow", Auth: &config.Auth{Bearer: &config.SecretFile{Secret: "t", Key: "k"}}},
		{Name: "other", Auth: &config.Auth{Bearer: &config.SecretFile{Secret: "s", Key: "k"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	document := render.Document{Encoded: encoded}
	revision := document.Revision()
	read := func(status report.Status) load.PodLoad { return load.PodLoad{Seen: moment, Status: status} }
	type summary struct {
		Replicas, Acknowledged int32
		Behind                 []string
		Rejected, Missing      string
		Refused, Keyless       string
		Again                  time.Duration
	}
	tests := []struct {
		name string
		pods map[string]load.PodLoad
		// acknowledged says that the status says so already.
		acknowledged bool
		want         summary
	}{
		{name: "no pods"},
		{
			name: "all serve it",
			pods: map[string]load.PodLoad{"a": read(report.Status{Revision: revision}), "b": read(report.Status{Revision: revision})},
			want: summary{Replicas: 2, Acknowledged: 2},
		},
		{
			name: "one is behind",
			pods: map[string]load.PodLoad{"a": read(report.Status{Revision: revision}), "b": read(report.Status{Revision: "old"})},
			want: summary{Replicas: 2, Acknowledged: 1, Behind: []string{"b"}},
		},
		{
			name: "one rejects it, and needs no nudge",
			pods: map[string]load.PodLoad{"a": read(report.Status{Revision: "old", Rejected: &report.RejectedConfig{Revision: revision, Message: "no"}})},
			want: summary{Replicas: 1, Rejected: "pod a: no"},
		},
		{
			name: "one rejected another revision",
			pods: map[string]load.PodLoad{"a": read(report.Status{Revision: "old", Rejected: &report.RejectedConfig{Revision: "other"}})},
			want: summary{Replicas: 1, Behind: []string{"a"}},
		},
		{
			name: "a secret is missing",
			pods: map[string]load.PodLoad{"a": read(report.Status{Revision: revision, Secrets: []report.SecretState{
				{SecretFile: config.SecretFile{Secret: "s", Key: "k"}}, {SecretFile: config.SecretFile{Secret: "t", Key: "k"}, Loaded: true},
			}})},
			want: summary{Replicas: 1, Acknowledged: 1, Missing: `pod a: key "k" of Secret "s"`, Keyless: "a:missing"},
		},
		{
			name: "files cannot be read",
			pods: map[string]load.PodLoad{"a": read(report.Status{Revision: revision, Secrets: []report.SecretState{
				{SecretFile: config.SecretFile{File: config.FileSource{Path: "/m/a"}}},
				{SecretFile: config.SecretFile{File: config.FileSource{Path: "/m/b"}}, Problem: "permission denied"},
			}})},
			want: summary{Replicas: 1, Acknowledged: 1, Missing: `pod a: file "/m/a";pod a: file "/m/b" (permission denied)`, Keyless: "a:missing"},
		},
		{
			name: "a key is refused",
			pods: map[string]load.PodLoad{
				"a": read(report.Status{Revision: revision, RefusedKeys: []report.RefusedKey{refusedKey}}),
				"b": read(report.Status{Revision: revision, RefusedKeys: []report.RefusedKey{refusedKey}}),
			},
			want: summary{Replicas: 2, Acknowledged: 2, Refused: `upstream "fast" refuses key "k" of Secret "s"`, Keyless: "a:refused-10,b:refused-10"},
		},
		{
			name: "secrets are named by their places in the config",
			pods: map[string]load.PodLoad{"a": read(report.Status{Revision: revision, Secrets: []report.SecretState{
				{Index: 0}, {Index: 1, Loaded: true}, {Index: 2, Problem: "is empty"},
			}})},
			want: summary{
				Replicas: 1, Acknowledged: 1, Keyless: "a:missing",
				Missing: `pod a: file "/m/a";pod a: key "k" of Secret "t" (is empty)`,
			},
		},
		{
			name: "a refused key is named by its place",
			pods: map[string]load.PodLoad{"a": read(report.Status{Revision: revision, RefusedKeys: []report.RefusedKey{
				{UpstreamIndex: 1, Index: 2, Since: refusedKey.Since},
			}})},
			want: summary{Replicas: 1, Acknowledged: 1, Refused: `upstream "slow" refuses key "k" of Secret "t"`, Keyless: "a:refused-10"},
		},
		{
			name: "places that the config does not have",
			pods: map[string]load.PodLoad{"a": read(report.Status{
				Revision: revision, Secrets: []report.SecretState{{Index: 3}, {Index: -1}},
				RefusedKeys: []report.RefusedKey{{UpstreamIndex: -1, Index: 9, Since: refusedKey.Since}},
			})},
			want: summary{
				Replicas: 1, Acknowledged: 1, Missing: "pod a: secret 3 of the config;pod a: secret -1 of the config",
				Refused: "upstream -1 of the config refuses secret 9 of the config", Keyless: "a:refused-10",
			},
		},
		{name: "a pod that starts does not count", pods: map[string]load.PodLoad{"a": {}}},
		{
			name: "a pod that just became ready is read first", acknowledged: true,
			pods: map[string]load.PodLoad{"a": {ReadySince: moment.Add(-time.Second)}},
			want: summary{Again: 4 * time.Second},
		},
		{
			name: "a pod that just became ready may not serve what no other is known to serve",
			pods: map[string]load.PodLoad{
				"a": read(report.Status{Revision: revision}), "b": {ReadySince: moment.Add(-time.Second)},
			},
			want: summary{Replicas: 2, Acknowledged: 1},
		},
		{
			name: "a ready pod that cannot be read", acknowledged: true,
			pods: map[string]load.PodLoad{"a": {ReadySince: moment.Add(-5 * time.Second)}},
			want: summary{Replicas: 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := &view{now: moment, service: serviceWith("http://a.svc/v1")}
			if tt.acknowledged {
				seen.service.Status.Config = &v1alpha1.ConfigStatus{Revision: revision}
				seen.service.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionConfigApplied, Status: metav1.ConditionTrue}}
			}
			for _, name := range []string{"a", "b"} {
				if known, ok := tt.pods[name]; ok {
					known.Name, known.UID = name, types.UID(name)
					seen.pods = append(seen.pods, pod(name))
					seen.load.Pods = append(seen.load.Pods, known)
				}
			}
			gone, done := pod("gone"), pod("done")
			gone.DeletionTimestamp, done.Status.Phase = &metav1.Time{Time: moment}, corev1.PodFailed
			seen.pods = append(seen.pods, gone, done)
			a := acknowledge(seen, document)
			got := summary{
				Replicas: a.replicas, Acknowledged: a.acknowledged, Again: a.again,
				Rejected: strings.Join(a.rejected, ";"), Missing: strings.Join(a.missing, ";"), Refused: strings.Join(a.refused, ";"),
			}
			var keyless []string
			for _, reminder := range a.keyless {
				keyless = append(keyless, reminder.pod.Name+":"+reminder.of)
			}
			got.Keyless = strings.Join(keyless, ",")
			for _, pod := range a.behind {
				got.Behind = append(got.Behind, pod.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("acknowledge() (-want +got):\n%s", diff)
			}
		})
	}
}

// nudging reconciles nothing but nudges, on a clock of the test's.
type nudging struct {
	*Reconciler
	seen    *view
	a       acknowledgement
	patches []string
}

func newNudging(t *testing.T, annotation string) *nudging {
	t.Helper()
	n := &nudging{}
	live := pod("a")
	if annotation != "" {
		live.Annotations = map[string]string{NudgeAnnotation: annotation}
	}
	n.seen = &view{now: moment, service: serviceWith("http://a.svc/v1"), pods: []corev1.Pod{live}}
	n.seen.putConfigMap(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{UID: "u1", Controller: new(true)}}},
		Data:       map[string]string{delivery.CurrentKey: "new"},
	})
	n.a = acknowledgement{revision: delivery.Revision([]byte("new")), behind: []*corev1.Pod{&n.seen.pods[0]}}
	n.Reconciler = &Reconciler{Client: interceptor.NewClient(fake.NewFakeClient(), interceptor.Funcs{
		Patch: func(_ context.Context, _ client.WithWatch, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
			data, err := patch.Data(object)
			n.patches = append(n.patches, string(data))
			return err
		},
	})}
	return n
}

func TestNudgesWithBackoff(t *testing.T) {
	n := newNudging(t, "")
	var at []time.Duration
	for {
		before := len(n.patches)
		wait := n.nudge(t.Context(), n.seen, &n.a)
		if n.a.unreminded != nil {
			t.Fatal(n.a.unreminded)
		}
		if len(n.patches) == before {
			t.Fatalf("asked to come back at %v, where nothing was due", n.seen.now.Sub(moment))
		}
		at = append(at, n.seen.now.Sub(moment))
		if wait == 0 {
			break
		}
		n.seen.now = n.seen.now.Add(wait)
	}
	if len(at) != maxNudges {
		t.Errorf("%d nudges, want %d", len(at), maxNudges)
	}
	want := []time.Duration{0, 1e9, 3e9, 7e9, 15e9, 31e9, 61e9, 91e9}
	if diff := cmp.Diff(want, at[:len(want)]); diff != "" {
		t.Errorf("nudged at (-want +got):\n%s", diff)
	}
	for i, patch := range n.patches[:3] {
		want := fmt.Sprintf(`{"metadata":{"annotations":{"%s":"%s.%d"},"uid":"a"}}`, NudgeAnnotation, n.a.revision, i)
		if patch != want {
			t.Errorf("patch %d = %s, want %s", i, patch, want)
		}
	}
}

func TestNudges(t *testing.T) {
	revision := delivery.Revision([]byte("new"))
	tests := []struct {
		name, annotation string
		change           func(*nudging)
		want             string
	}{
		{name: "at once", change: func(*nudging) {}, want: revision + ".0"},
		{name: "not before the ConfigMap was seen to hold the revision", change: func(n *nudging) { n.seen.configMap().Data[delivery.CurrentKey] = "old" }},
		{name: "not for somebody else's ConfigMap", change: func(n *nudging) { n.seen.configMap().OwnerReferences = nil }},
		{name: "goes on counting after a restart", annotation: revision + ".3", change: func(*nudging) {}, want: revision + ".4"},
		{name: "begins again with a revision", annotation: "older.7", change: func(*nudging) {}, want: revision + ".0"},
		{name: "does not believe any number", annotation: revision + ".-5", change: func(*nudging) {}, want: revision + ".0"},
		{name: "of a refused key", change: func(n *nudging) { n.a.behind, n.a.keyless = nil, []reminder{{&n.seen.pods[0], "refused-x"}} }, want: "refused-x.0"},
		{
			name: "of a refused key, whatever the ConfigMap holds", want: "refused-x.0",
			change: func(n *nudging) {
				n.seen.children, n.a.behind, n.a.keyless = nil, nil, []reminder{{&n.seen.pods[0], "refused-x"}}
			},
		},
		{
			name: "goes on counting for a refused key", annotation: "refused-x.3", want: "refused-x.4",
			change: func(n *nudging) { n.a.behind, n.a.keyless = nil, []reminder{{&n.seen.pods[0], "refused-x"}} },
		},
		{
			name: "not again for a refused key once it was often enough", annotation: "refused-x.19",
			change: func(n *nudging) { n.a.behind, n.a.keyless = nil, []reminder{{&n.seen.pods[0], "refused-x"}} },
		},
		{name: "none is behind", change: func(n *nudging) { n.a.behind = nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNudging(t, tt.annotation)
			tt.change(n)
			if n.nudge(t.Context(), n.seen, &n.a); n.a.unreminded != nil {
				t.Fatal(n.a.unreminded)
			}
			got := strings.Join(n.patches, "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, `"`+tt.want+`"`) && tt.want != "" {
				t.Errorf("patches = %s, want one with %q", got, tt.want)
			}
		})
	}
}

// A pod that an admission policy keeps from being annotated must not stop anything else, nor be asked without end.
func TestNudgeThatIsRefusedIsToldAndBounded(t *testing.T) {
	n := newNudging(t, "")
	tried := 0
	n.Client = interceptor.NewClient(fake.NewFakeClient(), interceptor.Funcs{
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			tried++
			return apierrors.NewForbidden(corev1.Resource("pods"), "a", errors.New("by policy"))
		},
	})
	for {
		wait := n.nudge(t.Context(), n.seen, &n.a)
		if n.a.unreminded == nil || !strings.Contains(n.a.unreminded.Error(), "by policy") {
			t.Fatalf("unreminded = %v, want the refusal", n.a.unreminded)
		}
		if wait == 0 {
			break
		}
		n.seen.now = n.seen.now.Add(wait)
	}
	if tried != maxNudges {
		t.Errorf("tried %d times, want %d", tried, maxNudges)
	}
}

// A thousand pods do not keep a reconcile, and the status with it, for long.
func TestNudgesAFewPodsAtOnce(t *testing.T) {
	n := newNudging(t, "")
	n.a.behind = nil
	const pods = 2*nudgesAtOnce + 1
	for i := range pods {
		lacking := pod(fmt.Sprint(i))
		n.a.keyless = append(n.a.keyless, reminder{&lacking, "missing"})
	}
	for i, want := range []int{64, 128, pods, pods} {
		wait := n.nudge(t.Context(), n.seen, &n.a)
		if len(n.patches) != want {
			t.Errorf("after %d: %d nudges, want %d", i, len(n.patches), want)
		}
		if soon := wait < firstNudgePause; soon != (want < pods) {
			t.Errorf("after %d nudges the next are due in %v", want, wait)
		}
	}
}
