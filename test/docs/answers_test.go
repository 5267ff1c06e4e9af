package docs_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// TestErrorCodes compares the table of errors with the codes that there are, and with their statuses.
func TestErrorCodes(t *testing.T) {
	var listed []string
	for _, row := range table(t, "docs/routes.md", "status", "code") {
		name := codes(row[1])[0]
		listed = append(listed, name)
		if got := fmt.Sprint(problem.New(problem.Code(name)).Status); got != row[0] {
			t.Errorf("docs/routes.md: %s has status %s, the gateway answers %s", name, row[0], got)
		}
	}
	same(t, "docs/routes.md", valuesOf(t, "runtime/problem", "Code"), listed)
}

// TestShownErrors compares the two forms of errors that docs/routes.md shows.
func TestShownErrors(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "docs/routes.md"), "\n## Errors\n")
	shown := fences(text)
	for i, body := range [][]byte{
		problem.OpenAI.Reply(problem.NoModel("gpt")).Body,
		problem.FastAPI.Reply(problem.New(problem.NotFound)).Body,
	} {
		if diff := cmp.Diff(jsonOf(t, body), jsonOf(t, []byte(shown[i].text))); diff != "" {
			t.Errorf("docs/routes.md, example %d (-gateway +page):\n%s", i, diff)
		}
	}
}

// TestRetries compares what the page says is tried elsewhere with what the upstreams' chooser does.
func TestRetries(t *testing.T) {
	failures := map[string][]relay.Failure{
		"no connection":     {{Kind: relay.FailedConnect}, {Kind: relay.FailedDial}},
		"the gateway [may":  {{Kind: relay.FailedAddress}},
		"status 429":        {{Kind: relay.FailedStatus, Status: 429}, {Kind: relay.FailedStatus, Status: 500}, {Kind: relay.FailedStatus, Status: 599}},
		"status 401 or 403": {{Kind: relay.FailedStatus, Status: 401}, {Kind: relay.FailedStatus, Status: 403}},
		"any other status":  {{Kind: relay.FailedStatus, Status: 400}, {Kind: relay.FailedStatus, Status: 404}, {Kind: relay.FailedStatus, Status: 204}},
		"no content":        {{Kind: relay.FailedHeader}, {Kind: relay.FailedFirstToken}, {Kind: relay.FailedTotal}},
		"the stream ended":  {{Kind: relay.FailedTruncated}, {Kind: relay.FailedMalformed}, {Kind: relay.FailedEvent}},
		"the upstream's":    {{Kind: relay.FailedCredential}},
		"as many calls":     {{Kind: relay.FailedBusy}},
		"an event over":     {{Kind: relay.FailedTooLarge}},
		"the route's":       {{Kind: relay.FailedTimeout}},
	}
	rows := table(t, "docs/streams.md", "what happened", "tried elsewhere")
	if len(rows) != len(failures) {
		t.Errorf("the page has %d rows, the test %d", len(rows), len(failures))
	}
	for begins, kinds := range failures {
		i := slices.IndexFunc(rows, func(row []string) bool { return strings.HasPrefix(row[0], begins) })
		if i < 0 {
			t.Errorf("no row begins with %q", begins)
			continue
		}
		for _, failure := range kinds {
			if got := upstream.Retryable(failure); got != strings.HasPrefix(rows[i][1], "yes") {
				t.Errorf("%s: tried elsewhere: %v, the page says %q", failure.Error(), got, rows[i][1])
			}
		}
	}
}

// TestStatusExample holds the shown status to the contract: every member, none unknown.
func TestStatusExample(t *testing.T) {
	text := read(t, "docs/observe.md")
	shown := fenceAfter(t, text, "`/metrics` | Prometheus metrics")
	var status report.Status
	decoder := json.NewDecoder(strings.NewReader(shown))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&status); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(jsonOf(t, again), jsonOf(t, []byte(shown))); diff != "" {
		t.Errorf("a member is missing (-contract +page):\n%s", diff)
	}
	var listed []string
	for _, row := range table(t, "docs/observe.md", "member", "what it says") {
		listed = append(listed, codes(row[0])[0])
	}
	var members map[string]any
	if err := json.Unmarshal(again, &members); err != nil {
		t.Fatal(err)
	}
	same(t, "docs/observe.md", keys(members), listed)
}

// TestViolationTypes compares the types in a 422 with those that the schema package answers.
func TestViolationTypes(t *testing.T) {
	want := []string{problem.TypeJSONInvalid}
	for _, file := range parsed(t, "runtime/schema", false) {
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && spec.Names[0].Name == "answers" {
				want = append(want, firstMembers(t, spec.Values[0])...)
			}
			return true
		})
	}
	var listed []string
	for _, row := range table(t, "docs/routes.md", "keyword", "type") {
		types, _, _ := strings.Cut(row[1], ", with")
		listed = append(listed, codes(types)...)
	}
	same(t, "docs/routes.md", want, listed)
}

// firstMembers are the first strings of a map's values.
func firstMembers(t *testing.T, of ast.Expr) []string {
	t.Helper()
	var found []string
	for _, element := range of.(*ast.CompositeLit).Elts {
		value := element.(*ast.KeyValueExpr).Value.(*ast.CompositeLit)
		text, err := strconv.Unquote(value.Elts[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, text)
	}
	return found
}
