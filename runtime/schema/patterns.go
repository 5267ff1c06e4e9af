package schema

import (
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/pattern"
)

// MaxAutomata bounds the automata of all patterns of one schema together, in their instructions: some megabytes.
const MaxAutomata = 50_000

var errAutomata = fmt.Errorf("makes the patterns of the schema take more than %d instructions together, "+
	"want fewer or shorter ones", MaxAutomata)

// patterns are the regular expressions of one schema, by their text.
type patterns struct {
	compiled map[string]*pattern.Pattern
	size     int
}

// compile is the compiler's engine. Automata are made once that all of them are known to be small.
func (p *patterns) compile(source string) (jsonschema.Regexp, error) {
	if known := p.compiled[source]; known != nil {
		return known, nil
	}
	if p.size > MaxAutomata { // the compiler goes on after the first mistake
		return nil, errAutomata
	}
	parsed, err := pattern.Parse(source)
	if err != nil {
		p.size += pattern.Weight(source)
		return nil, err
	}
	if p.size += parsed.Size(); p.size > MaxAutomata {
		return nil, errAutomata
	}
	if p.compiled == nil {
		p.compiled = map[string]*pattern.Pattern{}
	}
	p.compiled[source] = parsed.Compile()
	return p.compiled[source], nil
}

// inspect compiles the names of patternProperties, because the compiler would not name the wrong one.
func (p *patterns) inspect(doc *Outline) error {
	for _, pointer := range doc.Schemas() {
		if err := p.inspectNames(doc.sites[pointer].schema["patternProperties"], pointer+"/patternProperties"); err != nil {
			return err
		}
	}
	return nil
}

func (p *patterns) inspectNames(node any, at string) error {
	names, _ := node.(map[string]any)
	for _, name := range sortedKeys(names) {
		if len(name) > pattern.MaxBytes { // the pointer would be as long
			return &Error{Pointer: at, Reason: fmt.Sprintf("has a pattern longer than %d bytes, want a shorter one", pattern.MaxBytes)}
		}
		if _, err := p.compile(name); err != nil {
			return &Error{Pointer: at + "/" + escape(name), Reason: err.Error()}
		}
	}
	return nil
}
