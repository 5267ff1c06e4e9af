//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/test/scenario"
)

func TestClients(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "clients", small)

	t.Run("the first token arrives before the last was produced", func(t *testing.T) {
		seen := must(scenario.StreamTokenByToken(ctx, f.upstream, scenario.Ask(f.url)))(t)
		t.Logf("%d of %d tokens were produced when the first had arrived", seen.Produced, seen.Script.Tokens)
	})
	for body, want := range map[string]scenario.Violation{
		`{"question": 7}`: {Loc: []any{"body", scenario.SampleField}, Type: "string_type"},
		`{}`:              {Loc: []any{"body", scenario.SampleField}, Type: "missing"},
	} {
		t.Run("a bad body is answered 422 that names the field: "+body, func(t *testing.T) {
			found := must(scenario.Violations(ctx, f.url+scenario.SampleRoute, []byte(body)))(t)
			if len(found) != 1 || found[0].Msg == "" {
				t.Fatalf("the answer names %d fields: %+v", len(found), found)
			}
			found[0].Msg = ""
			if diff := cmp.Diff(want, found[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("what is refused never reaches the upstream", func(t *testing.T) {
		before := must(f.upstream.Stats(ctx))(t)
		_ = must(scenario.Violations(ctx, f.url+scenario.SampleRoute, []byte(`{}`)))(t)
		if after := must(f.upstream.Stats(ctx))(t); after.Opened != before.Opened || after.Rejected != before.Rejected {
			t.Errorf("the upstream was asked: %+v, before %+v", after, before)
		}
	})
	t.Run("the OpenAPI document has the route", func(t *testing.T) {
		var document struct {
			Paths map[string]map[string]any `json:"paths"`
		}
		if err := json.Unmarshal(get(t, f.url+"/openapi.json"), &document); err != nil {
			t.Fatal(err)
		}
		if _, there := document.Paths[scenario.SampleRoute]["post"]; !there {
			t.Errorf("no POST %s in %v", scenario.SampleRoute, document.Paths)
		}
	})
	t.Run("the documentation is served", func(t *testing.T) {
		if page := string(get(t, f.url+"/docs")); !strings.Contains(page, "/openapi.json") {
			t.Errorf("/docs does not point to the OpenAPI document: %.200s", page)
		}
	})
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody))(t)
	res, err := (&http.Client{Timeout: answerWithin}).Do(req)
	ok(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", url, res.Status)
	}
	return must(io.ReadAll(res.Body))(t)
}
