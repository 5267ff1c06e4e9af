package samples

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
)

// TestTutorial does what docs/tutorial.md says, step by step, and compares what it shows. In the end there is the sample.
func TestTutorial(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	var built object
	steps := strings.Split(string(page), "\n## ")[1:7]
	for _, step := range steps {
		title, _, _ := strings.Cut(step, "\n")
		var calls []string
		for _, block := range blocks.FindAllStringSubmatch(step, -1) {
			switch language, text := block[1], block[2]; language {
			case "yaml":
				built = withPart(t, built, text)
			case "sh":
				calls = curls.FindAllString(text, -1)
			case "json", "text":
				if len(calls) == 0 {
					t.Fatalf("%s: an answer to nothing:\n%s", title, text)
				}
				callAll(t, title, built, calls, text)
				calls = nil
			}
		}
	}
	if !slices.ContainsFunc(steps, func(s string) bool { return strings.HasPrefix(s, "6. ") }) {
		t.Fatal("the page has no step 6")
	}
	sample, err := os.ReadFile(filepath.Join(root, Dir, "support.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(configOf(t, sample), configOf(t, marshal(t, built))); diff != "" {
		t.Errorf("the tutorial does not end with the sample (-sample +tutorial):\n%s", diff)
	}
}

var (
	blocks = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")
	curls  = regexp.MustCompile(`(?m)^curl .*$`)
	target = regexp.MustCompile(` 127\.0\.0\.1:8080(\S+)`)
	data   = regexp.MustCompile(` -d '([^']*)'`)
)

// withPart puts a block into a manifest: what has a name that is there already replaces it, the rest is added. Members
// of a route replace its own; a list is steps of the last route.
func withPart(t *testing.T, whole object, text string) object {
	t.Helper()
	var part any
	if err := yaml.UnmarshalStrict([]byte(text), &part); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if steps, ok := part.([]any); ok {
		routes := whole["spec"].(object)["routes"].([]any)
		route := routes[len(routes)-1].(object)
		route["steps"] = merged(route["steps"].([]any), steps, "name", false)
		return whole
	}
	members := part.(object)
	if members["apiVersion"] != nil {
		return members
	}
	spec := whole["spec"].(object)
	for name, value := range members {
		key := map[string]string{"upstreams": "name", "routes": "path"}[name]
		if key == "" {
			t.Fatalf("nobody knows where %s belongs:\n%s", name, text)
		}
		spec[name] = merged(spec[name].([]any), value.([]any), key, name == "routes")
	}
	return whole
}

// merged puts items into a list; deep replaces single members of an item that is there.
func merged(list, items []any, key string, deep bool) []any {
	for _, item := range items {
		i := slices.IndexFunc(list, func(there any) bool { return there.(object)[key] == item.(object)[key] })
		switch {
		case i < 0:
			list = append(list, item)
		case deep:
			maps.Copy(list[i].(object), item.(object))
		default:
			list[i] = item
		}
	}
	return list
}

// callAll serves what is built, and compares the answers to calls with what the page shows of them.
func callAll(t *testing.T, title string, built object, calls []string, shown string) {
	t.Helper()
	played := map[string]string{"tickets": web, "crm": web, "kb": web, "small": model, "big": model, "backup": model}
	p := serveManifest(t, Sample{Name: "support", upstreams: played}, marshal(t, built))
	var got bytes.Buffer
	for _, call := range calls {
		method, body := "GET", any(nil)
		if sent := data.FindStringSubmatch(call); sent != nil {
			method, body = "POST", json.RawMessage(sent[1])
		}
		res, err := p.open(t.Context(), method, target.FindStringSubmatch(call)[1], body)
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		got.Write(append(answer, '\n'))
	}
	if strings.HasPrefix(shown, "event: ") {
		if want, said := strings.TrimSpace(shown), named(got.String()); said != want {
			t.Errorf("%s: the gateway says\n%s\nthe page\n%s", title, said, want)
		}
		return
	}
	if diff := cmp.Diff(valuesOf(t, shown), valuesOf(t, got.String())); diff != "" {
		t.Errorf("%s (-page +gateway):\n%s", title, diff)
	}
}

// named are the events of the answer and its result, without those of progress and of the end.
func named(stream string) string {
	var kept []string
	for event := range strings.SplitSeq(strings.TrimSpace(stream), "\n\n") {
		if strings.HasPrefix(event, "event: answer\n") || strings.HasPrefix(event, "event: result\n") {
			kept = append(kept, event)
		}
	}
	return strings.Join(kept, "\n\n")
}

// valuesOf are the JSON values of a text, one after the other.
func valuesOf(t *testing.T, text string) []any {
	t.Helper()
	var all []any
	decoder := json.NewDecoder(strings.NewReader(text))
	for {
		var value any
		err := decoder.Decode(&value)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		all = append(all, value)
	}
}

func marshal(t *testing.T, built object) []byte {
	t.Helper()
	text, err := yaml.Marshal(built)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// configOf is the config of a manifest, with its upstreams in the order of their names.
func configOf(t *testing.T, raw []byte) any {
	t.Helper()
	service, err := manifest.Load(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	c, err := render.Contract(service)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(c.Upstreams, func(a, b config.Upstream) int { return strings.Compare(a.Name, b.Name) })
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}
