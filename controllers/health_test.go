package controllers

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// TestHealth holds the table of docs/observe.md against the programs that wait: kstatus, which Helm and Flux have, the script of Argo
// CD and the expressions of Flux, both as docs/production.md has them.
func TestHealth(t *testing.T) {
	script, expressions := healthChecks(t)
	held := &pause{held: []string{"Service assistant"}, wanted: 2, kept: 2}
	for name, tt := range map[string]struct {
		change              func(*facts)
		ready               bool
		kstatus, argo, flux string
	}{
		"serves the spec":        {func(*facts) {}, true, "Current", "Healthy", "current"},
		"adds replicas":          {func(f *facts) { f.wanted = 4 }, true, "InProgress", "Healthy", "current"},
		"rolls out":              {func(f *facts) { f.deployment.Status.UpdatedReplicas = 1 }, false, "InProgress", "Progressing", ""},
		"too few replicas":       {func(f *facts) { f.deployment.Status.AvailableReplicas = 0 }, false, "InProgress", "Progressing", ""},
		"stalled":                {func(f *facts) { f.problem = &problem{v1alpha1.ReasonInvalid, "spec.x: is wrong"} }, false, "Failed", "Degraded", "failed"},
		"paused":                 {func(f *facts) { f.pause = &pause{wanted: 2, kept: 2} }, true, "Current", "Suspended", "current"},
		"paused before a change": {func(f *facts) { f.pause = held }, false, "InProgress", "Suspended", ""},
		"paused and stalled": {
			func(f *facts) { f.pause, f.problem = held, &problem{v1alpha1.ReasonInvalid, "spec.x: is wrong"} }, false, "Failed", "Degraded", "failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := steady()
			tt.change(&f)
			object := objectWith(t, conditionsOf(f), 7)
			check := func(of *unstructured.Unstructured, wantKstatus, wantArgo, wantFlux string) {
				t.Helper()
				if diff := cmp.Diff([]string{wantKstatus, wantArgo, wantFlux}, []string{
					kstatusOf(t, of), argoHealth(t, script, of), fluxHealth(t, expressions, of),
				}); diff != "" {
					t.Errorf("kstatus, Argo CD, Flux (-want +got):\n%s", diff)
				}
			}
			check(object, tt.kstatus, tt.argo, tt.flux)
			if got := readyOf(object); got != tt.ready {
				t.Errorf("Ready = %v, want %v", got, tt.ready)
			}
			check(objectWith(t, conditionsOf(f), 6), "InProgress", "Progressing", "inProgress")
		})
	}
	fresh := objectWith(t, nil, -1)
	if got := []string{kstatusOf(t, fresh), argoHealth(t, script, fresh), fluxHealth(t, expressions, fresh)}; !cmp.Equal(got, []string{"InProgress", "Progressing", "inProgress"}) {
		t.Errorf("a new object: %v", got)
	}
}

// healthChecks are those that the page has for Argo CD and Flux.
func healthChecks(t *testing.T) (script string, expressions map[string]string) {
	t.Helper()
	page, err := os.ReadFile("../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1) {
		for document := range strings.SplitSeq(string(block[1]), "---\n") {
			var object struct {
				Data map[string]string
				Spec struct{ HealthCheckExprs []map[string]string }
			}
			if yaml.Unmarshal([]byte(document), &object) != nil {
				continue // of other pages' kinds
			}
			if lua := object.Data["resource.customizations.health."+v1alpha1.Group+"_"+v1alpha1.Kind]; lua != "" {
				script = lua
			}
			for _, check := range object.Spec.HealthCheckExprs {
				if check["apiVersion"] == v1alpha1.GroupVersion.String() && check["kind"] == v1alpha1.Kind {
					expressions = check
				}
			}
		}
	}
	if script == "" || len(expressions) != 5 {
		t.Fatalf("the page has the script %q and the expressions %v", script, expressions)
	}
	return script, expressions
}

// objectWith is a service of generation 7 with these conditions, as a client reads it.
func objectWith(t *testing.T, conditions []metav1.Condition, observed int64) *unstructured.Unstructured {
	t.Helper()
	service := serviceWith("http://a.svc/v1")
	service.Generation, service.Status.ObservedGeneration, service.Status.Conditions = 7, observed, conditions
	service.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind}
	encoded, err := json.Marshal(service)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(encoded); err != nil {
		t.Fatal(err)
	}
	return object
}

func readyOf(object *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, item := range conditions {
		if c, _ := item.(map[string]any); c["type"] == v1alpha1.ConditionReady {
			return c["status"] == "True"
		}
	}
	return false
}

func kstatusOf(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	result, err := kstatus.Compute(object)
	if err != nil {
		t.Fatal(err)
	}
	return result.Status.String()
}

// argoHealth runs the script as Argo CD does: with the object as the global obj, and the health as its result.
func argoHealth(t *testing.T, script string, object *unstructured.Unstructured) string {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	state.SetGlobal("obj", luaValue(state, object.Object))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	health, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("it returns %v", state.Get(-1))
	}
	if message := health.RawGetString("message"); message.Type() != lua.LTString || message.String() == "" {
		t.Errorf("it has the message %v", message)
	}
	return health.RawGetString("status").String()
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for name, member := range v {
			table.RawSetString(name, luaValue(state, member))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, item := range v {
			table.Append(luaValue(state, item))
		}
		return table
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	}
	return lua.LNil
}

// fluxHealth evaluates the expressions in the order in which Flux does, and returns the name of the first that is true; empty if none is,
// which Flux takes for progress.
func fluxHealth(t *testing.T, expressions map[string]string, object *unstructured.Unstructured) string {
	t.Helper()
	env, err := cel.NewEnv(cel.CrossTypeNumericComparisons(true), cel.OptionalTypes())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"inProgress", "failed", "current"} {
		ast, issues := env.Parse(expressions[name]) // Flux checks no types
		if issues.Err() != nil {
			t.Fatalf("%s: %v", name, issues.Err())
		}
		program, err := env.Program(ast)
		if err != nil {
			t.Fatal(err)
		}
		result, _, err := program.Eval(object.Object)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if result.Value() == true {
			return name
		}
	}
	return ""
}
