package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/bench/peers/load"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
)

func TestMain(m *testing.M) {
	if serving() {
		return
	}
	os.Exit(m.Run())
}

// It measures the peers that need nothing, and those that are not installed are named.
func TestARunNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	s, err := parse([]string{
		"-quick", "-only", "^(Go, a bare relay|HAProxy|nginx|Envoy|FastAPI|LiteLLM)", "-out", page, "-held", "1",
		"-debian", filepath.Join(dir, "none"), "-python", filepath.Join(dir, "none"), "-litellm", filepath.Join(dir, "none"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := run(t.Context(), s, &printed); err != nil {
		t.Fatalf("%v: %s", err, &printed)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"HAProxy", "nginx", "Envoy", "FastAPI, relay with a Pydantic model", "FastAPI, typed route", "LiteLLM proxy"} {
		if row := "| " + name + " | not installed: make bench-deps |"; !strings.Contains(string(text), row) {
			t.Errorf("there is no %q in\n%s", row, text)
		}
	}
	_, row, _ := strings.Cut(string(text), "\n| Go, a bare relay |")
	if row, _, _ = strings.Cut(row, "\n"); strings.Contains(row, "–") || strings.Count(row, "|") != 6 {
		t.Errorf("the relay has not all figures: %q", row)
	}
}

func TestAPeerThatFailsIsNamed(t *testing.T) {
	python := filepath.Join(t.TempDir(), "bin", "python")
	if err := os.MkdirAll(filepath.Dir(python), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncase $1 in -c) echo FastAPI 0;; *) echo no such module; exit 3;; esac\n"
	if err := os.WriteFile(python, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := parse([]string{"-quick", "-only", "^FastAPI, typed", "-python", filepath.Dir(filepath.Dir(python))})
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	err = run(t.Context(), s, &printed)
	if err == nil || !strings.Contains(err.Error(), "FastAPI, typed route: ") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v", err)
	}
	if !strings.Contains(printed.String(), "| FastAPI, typed route | failed: ") || !strings.Contains(printed.String(), "no such module") {
		t.Errorf("it printed\n%s", &printed)
	}
}

func TestTheGatewaysConfig(t *testing.T) {
	c := gatewayConfig("127.0.0.1:1")
	encoded, err := config.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := program.Load(encoded); err != nil {
		t.Error(err)
	}
	if len(c.Routes) != 50 {
		t.Errorf("%d routes", len(c.Routes))
	}
	for _, model := range []string{load.Whole, load.Paced, load.Brief, load.Held} {
		path, _, _ := strings.Cut(strings.TrimPrefix(string(load.Target{Typed: true}.Request(model, 64)), "POST "), " ")
		found := false
		for _, r := range c.Routes {
			found = found || r.Path == path && r.Steps[0].Chat.Upstream == model
		}
		if !found {
			t.Errorf("no route asks %s at %s", model, path)
		}
	}
}

func TestOnly(t *testing.T) {
	for only, want := range map[string]string{"nothing": "no peer has a name", "(": "missing closing"} {
		if err := run(t.Context(), settings{only: only}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", only, err)
		}
	}
}

func TestTheRatiosHaveTheirRows(t *testing.T) {
	names := map[string]bool{}
	for _, p := range peers(settings{}, &ours{}) {
		if names[p.name] {
			t.Errorf("%s is there twice", p.name)
		}
		names[p.name] = true
	}
	if !names[outside] || !names[reference] {
		t.Errorf("%v", names)
	}
}
