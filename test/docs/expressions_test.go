package docs_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/relay"
)

const expressions = "docs/expressions.md"

// TestExpressions asks the route of docs/expressions.md for each expression in place of its answer.
func TestExpressions(t *testing.T) {
	body := fenceAfter(t, read(t, expressions), "and the body\n")
	request := &relay.Request{
		Head: relay.Head{
			Method: http.MethodPost, Path: "/orders/7", Header: http.Header{"Content-Type": {"application/json"}, "X-Tenant": {"acme"}},
		},
		Params: map[string]string{"id": "7"},
		Body:   []byte(body),
	}
	for _, row := range table(t, expressions, "expression", "value") {
		expression := codes(row[0])[0]
		service, errs := answering(t, expression)
		if errs != nil {
			t.Errorf("%s: %v", expression, errs)
			continue
		}
		got := answerOf(t, service, request)
		if diff := cmp.Diff(jsonOf(t, []byte(codes(row[1])[0])), jsonOf(t, got.Body)); got.Status != http.StatusOK || diff != "" {
			t.Errorf("%s: status %d (-page +gateway)\n%s", expression, got.Status, diff)
		}
	}
}

// TestRefusedExpressions compares what the page says of expressions that no config may have.
func TestRefusedExpressions(t *testing.T) {
	for _, row := range table(t, expressions, "expression", "because") {
		_, errs := answering(t, codes(row[0])[0])
		if want := "routes[0].response.body: " + row[1]; len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), want) {
			t.Errorf("%s: got %v, the page says %s", codes(row[0])[0], errs, want)
		}
	}
}

// answering is the page's service with a route that answers what an expression gives.
func answering(t *testing.T, expression string) (*config.Config, config.Errors) {
	t.Helper()
	part, err := yaml.Marshal(map[string]any{"response": map[string]any{"body": fmt.Sprintf("${%s}", expression)}})
	if err != nil {
		t.Fatal(err)
	}
	service, err := manifest.Load(t.Context(), []byte(within(t, manifests(t)[expressions][0], string(part))))
	if err != nil {
		t.Fatal(err)
	}
	c, err := render.Contract(service)
	if err != nil {
		t.Fatal(err)
	}
	return c, program.Validate(c)
}
