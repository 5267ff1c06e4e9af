package manifest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

// Rule is the kind of a mistake, as validate's reports have it.
type Rule string

// The kinds of mistakes that this package finds.
const (
	// RuleSyntax is what is not YAML, or not such as JSON can be made of.
	RuleSyntax Rule = "syntax"
	// RuleAPI is what an API server refuses.
	RuleAPI Rule = "api"
	// RuleWords is what YAML 1.1 reads differently from what it looks like.
	RuleWords Rule = "yaml-words"
	// RuleNull is a null that one way of applying leaves out.
	RuleNull Rule = "null"
)

// Mistake is something that is wrong with a manifest, or likely to be meant otherwise.
//
//nolint:errname // it is what is wrong, and perhaps only a warning
type Mistake struct {
	// Line and Column are its place in the file, both from 1; 0 if that is not known.
	Line, Column int
	// Path is the field, as in spec.routes[0].path; "" for none.
	Path string
	// Within names the items of lists that the path leads through, as in routes[/answer]; "" if none has a name.
	Within  string
	Message string
	Rule    Rule
}

// Error gives place, field and message: "12:5: spec.routes[0].timeout (routes[/answer]): …".
func (m Mistake) Error() string {
	text := m.Message
	if m.Path != "" {
		text = config.NamedPath(m.Path, m.Within) + ": " + text
	}
	if m.Line > 0 {
		text = fmt.Sprintf("%d:%d: %s", m.Line, m.Column, text)
	}
	return text
}

// Mistakes are all that is wrong with a manifest, from its first line on.
//
//nolint:errname // likewise
type Mistakes []Mistake

func (m Mistakes) by(rule Rule) Mistakes {
	for i := range m {
		m[i].Rule = rule
	}
	return m
}

// Error has a line for each.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i := range m {
		lines[i] = m[i].Error()
	}
	return strings.Join(lines, "\n")
}

// InFile puts a file's name before an error of this package, and before each of its lines, so that editors find the place.
func InFile(file string, err error) error {
	all, ok := errors.AsType[Mistakes](err)
	if !ok {
		return fmt.Errorf("%s: %w", file, err)
	}
	lines := make([]error, len(all))
	for i := range all {
		separator := ": "
		if all[i].Line > 0 {
			separator = ":"
		}
		lines[i] = fmt.Errorf("%s%s%w", file, separator, all[i])
	}
	return errors.Join(lines...)
}
