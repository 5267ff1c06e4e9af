package main

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// execute runs a command with the arguments.
func execute(t *testing.T, stdin string, arguments ...string) (out, errs string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := command()
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(arguments)
	err = cmd.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

func TestExitCodes(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"all is well":       {nil, 0},
		"something found":   {errFound, 1},
		"a command failed":  {errors.New("x"), 2},
		"a flag is unknown": {func() error { _, _, err := execute(t, "", "validate", "--nope"); return err }(), 2},
		"too many words":    {func() error { _, _, err := execute(t, "", "validate", "x"); return err }(), 2},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// TestHelp: each command has a text, an example that begins as it is called, and a description of each flag.
func TestHelp(t *testing.T) {
	for _, cmd := range command().Commands() {
		if cmd.Short == "" || len(cmd.Long) < len(cmd.Short) || !strings.Contains(cmd.Example, "  kubectl llmservice "+cmd.Name()) {
			t.Errorf("%s: short %q, long %q, example %q", cmd.Name(), cmd.Short, cmd.Long, cmd.Example)
		}
		for line := range strings.SplitSeq(cmd.Long, "\n") {
			if len(line) > 120 {
				t.Errorf("%s: a line of %d characters: %s", cmd.Name(), len(line), line)
			}
		}
		out, _, err := execute(t, "", cmd.Name(), "--help")
		if err != nil || !strings.Contains(out, "kubectl llmservice "+cmd.Name()) || strings.Contains(out, "kubectl-llmservice") {
			t.Errorf("help of %s: %v\n%s", cmd.Name(), err, out)
		}
	}
}

// TestCompletion is what kubectl asks the plugin for.
func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		words []string
		want  []string
	}{
		{[]string{""}, []string{"dev", "diff", "explain", "init", "logs", "validate", "version"}},
		{[]string{"validate", "-o", ""}, []string{"text", "json", "sarif"}},
		{[]string{"explain", "-o", ""}, []string{"text", "json"}},
		{[]string{"init", "--template", "ra"}, []string{"rag"}},
	} {
		out, _, err := execute(t, "", append([]string{cobra.ShellCompNoDescRequestCmd}, tt.words...)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains("\n"+out, "\n"+want+"\n") {
				t.Errorf("%q completes to %q, which lacks %s", tt.words, out, want)
			}
		}
	}
}

// TestKubectlPage: docs/kubectl.md lists the commands and the rules that there are, and shows findings as they are printed.
func TestKubectlPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/kubectl.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := firstCells(string(text))
	var want []string
	for _, cmd := range command().Commands() {
		if cmd.Name() != "help" && cmd.Name() != "completion" {
			want = append(want, strings.Fields(cmd.Use)[0])
		}
	}
	for _, r := range rules {
		want = append(want, string(r.id))
	}
	for _, name := range want {
		if !slices.Contains(listed, name) {
			t.Errorf("the page does not list %s", name)
		}
	}
	if len(listed) != len(want) {
		t.Errorf("the page lists %v, want %v", listed, want)
	}
	shown := edit(t, service, upstreamOf, strings.Replace(upstreamOf, "fast", "slow", 1))
	for name, manifest := range map[string]string{"a reference": shown, "a duration": edit(t, service, "    summary: Answer a question\n", "    timeout: 30 s\n")} {
		out, _, err := execute(t, manifest, "validate", "-f", "-")
		line := strings.TrimSpace(strings.ReplaceAll(out, "(stdin)", "assistant.yaml"))
		if !errors.Is(err, errFound) || !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("%s: %v; the page does not show\n%s", name, err, line)
		}
	}
}

// firstCells are the commands and the rules of the tables: what is in code at the beginning of a row.
func firstCells(page string) []string {
	var all []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([-a-z]+)").FindAllStringSubmatch(page, -1) {
		all = append(all, row[1])
	}
	return all
}
