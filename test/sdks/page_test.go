package sdks

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/clients.md")

const page = "../../docs/clients.md"

// TestPage compares docs/clients.md with the table that TestClients runs.
func TestPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Clients that are run against a gateway\n\nWritten by `go test ./test/sdks -run TestPage -update` from the table of scenarios.\n\n" +
		"OpenAI's SDKs for Go, Python and JavaScript, LangChain (`langchain-openai`) and the Vercel AI SDK (`ai` with `@ai-sdk/openai`, and with\n" +
		"`@ai-sdk/openai-compatible`) run these scenarios in `make test`, each against a gateway with a scripted model behind it. A client that has \"yes\" does\n" +
		"it, and the test fails if it does not; the others have no way to do it, or are not asked to. \"On chat completions alone\" and \"on responses\n" +
		"alone\" are models whose upstream has only that API, so that the gateway translates.\n\n| scenario |")
	for i := range clients {
		b.WriteString(" " + clients[i].name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(clients)) + "\n")
	for _, s := range scenarios() {
		b.WriteString("| " + s.name + s.outcome() + " |")
		for i := range clients {
			b.WriteString(map[bool]string{true: " yes |", false: " |"}[clients[i].runs(&s)])
		}
		b.WriteString("\n")
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("docs/clients.md differs from the table (go test -update writes it):\n%s", diff)
	}
}

// outcome is what the page says of a scenario that ends in an error, or is passed on.
func (sc *scenario) outcome() string {
	switch {
	case sc.status != 0 && sc.code == anything:
		return fmt.Sprintf(": %d", sc.status)
	case sc.status != 0:
		return fmt.Sprintf(": %d `%s`", sc.status, sc.code)
	case sc.class != "":
		return fmt.Sprintf(": an error with `%s`", sc.code)
	case sc.passes:
		return ": the upstream is asked exactly this, but for the model's name"
	case sc.leaves:
		return ": the upstream's call is cancelled"
	}
	return ""
}
