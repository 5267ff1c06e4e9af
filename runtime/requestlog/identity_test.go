package requestlog

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestIDsOfClients(t *testing.T) {
	long := strings.Repeat("x", maxID)
	for _, id := range []string{"1", "req_7-f.2:a/b+c=d@e~f", long} {
		if got := IdentityOf(http.Header{IDHeader: {id}}).ID; got != id {
			t.Errorf("%q becomes %q", id, got)
		}
	}
	seen := map[string]bool{}
	for name, header := range map[string]http.Header{
		"none": {}, "empty": {IDHeader: {""}}, "two": {IDHeader: {"a", "b"}}, "too long": {IDHeader: {long + "x"}},
		"a blank": {IDHeader: {"a b"}}, "a line": {IDHeader: {"a\nb"}}, "a quote": {IDHeader: {`a"b`}}, "not ASCII": {IDHeader: {"é"}},
	} {
		id := IdentityOf(header).ID
		if len(id) != 32 || !isID(id) || seen[id] {
			t.Errorf("%s: %q is made", name, id)
		}
		seen[id] = true
	}
}

// What is passed on is what the client has sent, byte for byte, or nothing: W3C Trace Context, sections 3.2.2, 3.3 and 4.
func TestTracesArePassedOn(t *testing.T) {
	const state, trace = "vendor=1,other=2", "4bf92f3577b34da6a3ce929d0e0e4736"
	later := "01" + parent[2:]
	for name, tt := range map[string]struct {
		parents, states []string
		want            http.Header
	}{
		"a trace":            {[]string{parent}, nil, http.Header{traceParent: {parent}}},
		"with its state":     {[]string{parent}, []string{"vendor=1", "other=2"}, http.Header{traceParent: {parent}, traceState: {state}}},
		"a later version":    {[]string{later + "-more"}, nil, http.Header{traceParent: {later + "-more"}}},
		"state alone":        {nil, []string{state}, http.Header{}},
		"two parents":        {[]string{parent, parent}, []string{state}, http.Header{}},
		"state too long":     {[]string{parent}, []string{"v=" + strings.Repeat("x", maxState)}, http.Header{traceParent: {parent}}},
		"state of controls":  {[]string{parent}, []string{"v=\x01"}, http.Header{traceParent: {parent}}},
		"version ff":         {[]string{"ff" + parent[2:]}, nil, http.Header{}},
		"version of letters": {[]string{"0g" + parent[2:]}, nil, http.Header{}},
		"capital letters":    {[]string{strings.ToUpper(parent)}, nil, http.Header{}},
		"no trace":           {[]string{"00-" + strings.Repeat("0", 32) + parent[35:]}, nil, http.Header{}},
		"no parent":          {[]string{parent[:36] + strings.Repeat("0", 16) + parent[52:]}, nil, http.Header{}},
		"too short":          {[]string{parent[:54]}, nil, http.Header{}},
		"too long":           {[]string{parent + "-x"}, nil, http.Header{}},
		"later, too long":    {[]string{later + "-" + strings.Repeat("x", maxParent)}, nil, http.Header{}},
		"later, no dash":     {[]string{later + "x"}, nil, http.Header{}},
		"flags of letters":   {[]string{parent[:53] + "zz"}, nil, http.Header{}},
		"no dashes":          {[]string{strings.ReplaceAll(parent, "-", "a")}, nil, http.Header{}},
	} {
		t.Run(name, func(t *testing.T) {
			given := http.Header{IDHeader: {"a"}}
			if tt.parents != nil {
				given[traceParent] = tt.parents
			}
			if tt.states != nil {
				given[traceState] = tt.states
			}
			identity, sent := IdentityOf(given), http.Header{}
			identity.Send(sent)
			tt.want[IDHeader] = []string{"a"}
			if diff := cmp.Diff(tt.want, sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if want := map[bool]string{true: trace}[tt.want[traceParent] != nil]; identity.TraceID != want {
				t.Errorf("the trace is %q, want %q", identity.TraceID, want)
			}
		})
	}
}

// What a route sets itself stays, also if it is to be left out.
func TestARoutesOwnFieldsGoFirst(t *testing.T) {
	identity := IdentityOf(http.Header{IDHeader: {"a"}, traceParent: {parent}, traceState: {"v=1"}})
	sent := http.Header{IDHeader: nil, traceParent: {"theirs"}}
	identity.Send(sent)
	if diff := cmp.Diff(http.Header{IDHeader: nil, traceParent: {"theirs"}}, sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	(*Identity)(nil).Send(sent)
}
