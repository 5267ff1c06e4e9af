package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const everyKind = "testdata/every-kind.yaml"

func explainOutput(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, _, err := execute(t, "", append([]string{"explain"}, args...)...)
	return out, err
}

func TestExplain(t *testing.T) {
	for name, args := range map[string][]string{
		"routes":        {"-f", everyKind},
		"whole":         {"-f", everyKind, "/whole"},
		"stream":        {"-f", everyKind, "POST /stream"},
		"held-stream":   {"-f", everyKind, "get", "/stream"},
		"events":        {"-f", everyKind, "/events"},
		"stream.json":   {"-f", everyKind, "POST /stream", "-o", "json"},
		"assistant":     {"-f", "../../config/samples/assistant.yaml", "/answer"},
		"no-routes":     {"-f", "../../config/samples/minimal.yaml"},
		"summarize":     {"-f", "../../config/samples/summarize.yaml", "POST /summaries"},
		"dependencies":  {"-f", "../../config/samples/dependencies.yaml", "/tickets/{id}/replies"},
		"one-route-set": {"-f", "../../config/samples/summarize.yaml", "-o", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := explainOutput(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "explain", name)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// A program that reads the document finds its numbers: they are no text for people.
// What a cluster may take otherwise than it is meant is told beside the answer, which programs read.
func TestExplainWarns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "service.yaml")
	save(t, file, strings.Replace(service, "body: {text:", "body: {a: null, b: no, text:", 1))
	out, stderr, err := execute(t, "", "explain", "-f", file, "-o", "json")
	if err != nil || !json.Valid([]byte(out)) {
		t.Errorf("got %s, %v", out, err)
	}
	for _, want := range []string{file + ":15:23: warning: spec.routes[0].response.body.a (routes[/answer]): is null, which kubectl apply drops", "body.b (routes[/answer]): no is read as the boolean false"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q does not say %q", stderr, want)
		}
	}
}

// A timeout that nobody has set is not worth a warning.
func TestExplainLeavesDefaultsAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "service.yaml")
	raw, err := os.ReadFile(everyKind)
	if err != nil {
		t.Fatal(err)
	}
	const warning = ".timeout: is 30s but has no effect: maxStreamDuration ends the stream after 9s"
	bounded := strings.Replace(string(raw), "    timeout: 10m\n    maxStreamDuration: 3m\n", "    timeout: 30s\n    maxStreamDuration: 9s\n", 1)
	for text, warned := range map[string]bool{bounded: true, strings.Replace(bounded, "    timeout: 30s\n    maxStream", "    maxStream", 1): false} {
		save(t, file, text)
		if out, err := explainOutput(t, "-f", file, "/events"); err != nil || strings.Contains(out, warning) != warned {
			t.Errorf("%v; warned: %v, want %v:\n%s", err, !warned, warned, out)
		}
	}
}

func TestExplainForPrograms(t *testing.T) {
	out, err := explainOutput(t, "-f", everyKind, "/whole", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var route struct {
		Method  string `json:"method"`
		Latency struct {
			Max string `json:"max"`
			By  string `json:"by"`
		} `json:"latency"`
		Calls struct {
			Min int `json:"min"`
			Max int `json:"max"`
		} `json:"calls"`
		Tokens struct {
			Max int `json:"max"`
		} `json:"tokens"`
		Steps []struct {
			Parts []struct {
				Path string `json:"path"`
			} `json:"parts"`
		} `json:"steps"`
		Functions []struct{} `json:"functions"`
		Warnings  []struct {
			Path string `json:"path"`
		} `json:"warnings"`
	}
	if err := json.Unmarshal([]byte(out), &route); err != nil {
		t.Fatal(err)
	}
	if route.Method != "POST" || route.Latency.Max != "2m0s" || route.Latency.By != "timeout" || route.Tokens.Max != 5000 ||
		route.Calls.Min != 8 || route.Calls.Max != 40 || len(route.Functions) != 2 {
		t.Errorf("got %+v", route)
	}
	if got := route.Steps[6].Parts[1].Path; got != "routes[0].steps[6].gather.branches[1]" {
		t.Errorf("the path of a branch is %q", got)
	}
	if got := route.Warnings[0].Path; got != "functions[1].steps[1].timeout" {
		t.Errorf("the path of a warning is %q", got)
	}
}

func TestExplainRefuses(t *testing.T) {
	dir := t.TempDir()
	edited := func(name, from, to string) string {
		raw, err := os.ReadFile(everyKind)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if !strings.Contains(text, from) {
			t.Fatalf("there is no %q in %s", from, everyKind)
		}
		file := filepath.Join(dir, name)
		save(t, file, strings.Replace(text, from, to, 1))
		return file
	}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no file":               {nil, `"filename" not set`},
		"a file that is not":    {[]string{"-f", filepath.Join(dir, "none.yaml")}, "no such file"},
		"another output":        {[]string{"-f", everyKind, "-o", "yaml"}, `--output: "yaml", want one of text, json`},
		"an unknown route":      {[]string{"-f", everyKind, "/none"}, `there is no route "/none", but POST /whole, POST /stream, GET /stream, POST /events`},
		"another method":        {[]string{"-f", everyKind, "PUT /whole"}, `there is no route "PUT /whole"`},
		"several routes":        {[]string{"-f", everyKind, "/stream"}, `"/stream" matches several routes, want one of POST /stream, GET /stream`},
		"none at all":           {[]string{"-f", "../../config/samples/minimal.yaml", "/x"}, "none at all"},
		"more than a route":     {[]string{"-f", everyKind, "POST", "/whole", "x"}, "accepts at most 2"},
		"a wrong manifest":      {[]string{"-f", edited("upstream", "upstream: big, messages: [{role: user, content: Hello}], p", "upstream: none, messages: [{role: user, content: Hello}], p")}, `there is no upstream "none"`},
		"a budget too small":    {[]string{"-f", edited("budget", "maxCalls: 40", "maxCalls: 7")}, "spec.routes[0].budget.maxCalls (routes[/whole]): is 7, but each successful answer needs at least 8 calls"},
		"a hedge that is no":    {[]string{"-f", edited("hedge", "hedgeDelay: 2s", "hedgeDelay: 2m")}, "spec.routes[0].steps[8].gather.first.hedgeDelay (routes[/whole].steps[quick]): is 2m, but routes[0].timeout ends it after 2m"},
		"a fallback that is no": {[]string{"-f", edited("fallback", "firstToken: 6s", "firstToken: 1m")}, "spec.routes[1].steps[0].gather.fallback.firstToken (routes[/stream].steps[answer]): is 1m, but routes[1].timeout ends it after 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := explainOutput(t, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q; printed %q", err, tt.want, out)
			}
		})
	}
}
