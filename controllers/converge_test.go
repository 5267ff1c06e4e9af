package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/llmservice/llmservice/controllers/render"
)

// TestFootprint: whatever the children are made of, or compared with, is looked at again once it has changed.
func TestFootprint(t *testing.T) {
	rolling := func() (*view, documents) {
		seen := &view{service: serviceWith("http://a.svc/v1"), kinds: render.Kinds()}
		seen.service.ResourceVersion = "7"
		account := &corev1.ServiceAccount{}
		account.UID, account.ResourceVersion = "a", "1"
		seen.put(render.AccountKey("assistant"), account)
		return seen, documents{current: render.Document{Encoded: []byte("current")}, lastGood: render.Document{Encoded: []byte("last")}}
	}
	before := footprint(rolling())
	changes := map[string]func(*view, *documents){
		"nothing":           func(*view, *documents) {},
		"a pod":             func(v *view, _ *documents) { v.pods = []corev1.Pod{pod("a")} },
		"the service":       func(v *view, _ *documents) { v.service.ResourceVersion = "8" },
		"a child":           func(v *view, _ *documents) { v.children[render.AccountKey("assistant")].SetResourceVersion("2") },
		"a child of a name": func(v *view, _ *documents) { v.children[render.AccountKey("assistant")].SetUID("b") },
		"a child less":      func(v *view, _ *documents) { delete(v.children, render.AccountKey("assistant")) },
		"a child more":      func(v *view, _ *documents) { v.put(render.AccountKey("assistant-canary"), &corev1.ServiceAccount{}) },
		"the config":        func(_ *view, d *documents) { d.current.Encoded = []byte("next") },
		"the last good":     func(_ *view, d *documents) { d.lastGood = d.current },
		"a problem":         func(_ *view, d *documents) { d.problem = &problem{} },
		"a kind that came": func(v *view, _ *documents) {
			v.kinds = append(v.kinds, render.Kind{GroupVersionKind: schema.GroupVersionKind{Kind: "Ticket"}, Optional: true})
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			seen, documents := rolling()
			change(seen, &documents)
			if same, want := footprint(seen, documents) == before, name == "nothing" || name == "a pod"; same != want {
				t.Errorf("looked at again: %t, want %t", !same, !want)
			}
		})
	}
}

// TestWhatIsInNoCacheIsLookedAtAgain: its end would be no event.
func TestWhatIsInNoCacheIsLookedAtAgain(t *testing.T) {
	seen := &view{service: serviceWith("http://a.svc/v1")}
	children := []render.Child{namedChild(render.AccountKey("assistant"))}
	if seen.showsAll(children) {
		t.Error("a child that is not in the view is taken for one that is")
	}
	seen.put(render.AccountKey("assistant"), &corev1.ServiceAccount{})
	if !seen.showsAll(children) {
		t.Error("a child in the view is taken for one that is not")
	}
}

// TestAnOverrideThatIsDueIsLookedAt, though nothing that is seen has changed.
func TestAnOverrideThatIsDueIsLookedAt(t *testing.T) {
	m := &memory{rewritings: map[render.ChildKey]rewriting{render.GatewaysKey("a"): {next: moment}}}
	if m.overrideDue(moment.Add(-time.Second)) || !m.overrideDue(moment) {
		t.Error("it is not looked at when it is due")
	}
}
