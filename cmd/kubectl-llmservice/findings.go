package main

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/runtime/config"
)

// level is how grave a finding is, in the words of SARIF (section 3.27.10).
type level string

const (
	levelError   level = "error"
	levelWarning level = "warning"
)

// ruleGateway is the kind of what the gateway's own compiler refuses.
const ruleGateway manifest.Rule = "gateway"

// rules say what each kind of finding is.
var rules = []struct {
	id   manifest.Rule
	text string
}{
	{manifest.RuleSyntax, "The file is not YAML, or uses a key twice."},
	{manifest.RuleAPI, "An API server refuses the manifest: an unknown field, a value of another type or form, or a broken rule."},
	{ruleGateway, "The gateway refuses the manifest: a schema, an expression, a reference, or limits that contradict each other."},
	{manifest.RuleWords, "YAML 1.1 reads a word differently from what it looks like, such as no."},
	{manifest.RuleNull, "kubectl apply without --server-side drops members that are null."},
}

// finding is something that is wrong with a manifest, or likely to be meant differently.
type finding struct {
	File string `json:"file"`
	// Line and Column are from 1; 0 if they are not known.
	Line   int           `json:"line,omitzero"`
	Column int           `json:"column,omitzero"`
	Level  level         `json:"level"`
	Rule   manifest.Rule `json:"rule"`
	// Path is the field, and Within names the items of lists that it leads through.
	Path    string `json:"path,omitzero"`
	Within  string `json:"within,omitzero"`
	Message string `json:"message"`
}

func findingsOf(file string, l level, mistakes manifest.Mistakes) []finding {
	all := make([]finding, len(mistakes))
	for i := range mistakes {
		m := &mistakes[i]
		all[i] = finding{file, m.Line, m.Column, l, m.Rule, m.Path, m.Within, m.Message}
	}
	return all
}

// String is a line that editors find the place by.
func (f finding) String() string {
	place := f.File
	if f.Line > 0 {
		place += fmt.Sprintf(":%d:%d", f.Line, f.Column)
	}
	if f.Level == levelWarning {
		place += ": warning"
	}
	return place + ": " + f.text()
}

// text is the finding without its place.
func (f finding) text() string {
	if f.Path == "" {
		return f.Message
	}
	return config.NamedPath(f.Path, f.Within) + ": " + f.Message
}

// checked is what was found in manifests: what validate reports.
type checked struct {
	// Services is how many LLMServices were read.
	Services int       `json:"services"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Findings []finding `json:"findings"`
}

func (c *checked) add(all ...finding) {
	for _, f := range all {
		if f.Level == levelError {
			c.Errors++
		} else {
			c.Warnings++
		}
	}
	c.Findings = append(c.Findings, all...)
}

// print writes the findings as text, json or sarif; the summary of the text goes to err, because it is not a finding.
func (c *checked) print(format string, out, err io.Writer) error {
	switch format {
	case "json":
		return printJSON(out, c)
	case "sarif":
		return printJSON(out, sarifOf(c.Findings))
	}
	for _, f := range c.Findings {
		fmt.Fprintln(out, f)
	}
	_, failed := fmt.Fprintf(err, "%s, %s, %s\n",
		count(c.Services, "LLMService"), count(c.Errors, "error"), count(c.Warnings, "warning"))
	return failed
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func printJSON(out io.Writer, value any) error {
	encoded, err := json.Marshal(value, jsontext.WithIndent("  "))
	if err != nil {
		return fmt.Errorf("write as JSON: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n", encoded)
	return err
}
