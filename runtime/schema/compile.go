package schema

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// base is the address that a schema is compiled under. It is hierarchical, so that a relative reference resolves to
// another address and is refused, and no loader knows its scheme.
const base = "schema://route/"

const draft = "https://json-schema.org/draft/2020-12/schema"

var schemaLimits = limits{depth: MaxSchemaDepth, nodes: MaxSchemaNodes, keys: MaxSchemaNodes}

// acceptable says what JSON a schema may be.
var acceptable = fmt.Sprintf("want JSON without repeated names, at most %d levels deep, of at most %d values",
	MaxSchemaDepth, MaxSchemaNodes)

func parse(raw []byte) (*Outline, error) {
	if len(raw) > MaxSchemaBytes {
		return nil, &Error{Reason: fmt.Sprintf("is %d bytes long, at most %d are allowed", len(raw), MaxSchemaBytes)}
	}
	doc, f := decode(nil, raw, schemaLimits)
	if f != nil {
		reason := fmt.Sprintf("not acceptable JSON at byte %d: %s; %s", f.offset, f.reason, acceptable)
		return nil, &Error{Pointer: f.pointer, Reason: reason}
	}
	o := outline(doc.value)
	return o, o.inspect()
}

// inspect refuses what the compiler would take: other drafts, and schemas that are data as well.
func (o *Outline) inspect() error {
	for _, pointer := range o.Schemas() {
		schema := o.sites[pointer].schema
		for _, name := range sortedKeys(schema) {
			if err := inspectKeyword(name, schema[name], pointer+"/"+escape(name)); err != nil {
				return err
			}
		}
		for _, name := range references {
			ref, isText := schema[name].(string)
			if target, ok := o.Resolve(pointer, ref); isText && ok && o.isData(target) {
				return &Error{Pointer: pointer + "/" + name, Reason: fmt.Sprintf("%q points at data, want the place of a schema", ref)}
			}
		}
	}
	return nil
}

func inspectKeyword(name string, value any, at string) error {
	text, isText := value.(string)
	switch {
	case name == "$schema" && isText && strings.TrimSuffix(text, "#") != draft:
		return &Error{Pointer: at, Reason: fmt.Sprintf("is %q, want %q, which is the only one that is supported", text, draft)}
	case name == "$recursiveRef" && isText:
		return &Error{Pointer: at, Reason: "is not part of 2020-12, want $dynamicRef"}
	}
	return nil
}

// refuse is the loader of a compiler that may load nothing.
type refuse struct{}

var errRemote = errors.New("refers to another document, want a reference within the schema")

func (refuse) Load(string) (any, error) { return nil, errRemote }

// compile gives the schema and those of its parts that a dynamic reference may lead to. It turns the library's panics into
// errors too: the operator compiles the schemas of many tenants, and one of them must not stop it.
func compile(doc *Outline, set settings, all *patterns) (root *jsonschema.Schema, anchored []*jsonschema.Schema, err error) {
	if err := all.inspect(doc); err != nil {
		return nil, nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			root, anchored, err = nil, nil, &Error{Reason: "cannot be compiled, want a schema of JSON Schema 2020-12"}
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(refuse{})
	c.UseRegexpEngine(all.compile)
	if set.formats {
		assertFormats(c)
	}
	if err := c.AddResource(base, doc.root); err != nil {
		return nil, nil, &Error{Reason: err.Error()}
	}
	if root, err = c.Compile(base); err != nil {
		return nil, nil, explain(doc, err)
	}
	for _, pointer := range doc.Schemas() { // those that nothing refers to as well, since documents show them
		s, err := c.Compile(base + "#" + (&url.URL{Path: pointer}).EscapedPath())
		if err != nil {
			return nil, nil, explain(doc, err)
		}
		if s.DynamicAnchor != "" {
			anchored = append(anchored, s)
		}
	}
	return root, anchored, nil
}

// explain finds the place and the words for what the compiler says.
func explain(doc *Outline, err error) *Error {
	if e, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		return badRef(doc, e.URL, "refers to another document, want a reference within the schema, such as #/$defs/name")
	}
	if e, ok := errors.AsType[*jsonschema.JSONPointerNotFoundError](err); ok {
		return badRef(doc, e.URL, "points at nothing, want the place of a schema here, such as #/$defs/name")
	}
	if e, ok := errors.AsType[*jsonschema.AnchorNotFoundError](err); ok {
		return badRef(doc, e.Reference, "points at nothing, want the place of a schema here, such as #/$defs/name")
	}
	if e, ok := errors.AsType[*jsonschema.InvalidRegexError](err); ok {
		return &Error{Pointer: pointerOf(e.URL), Reason: e.Err.Error()}
	}
	if e, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		return invalid(doc, e)
	}
	return &Error{Reason: strings.ReplaceAll(err.Error(), base, "") + "; want a schema of JSON Schema 2020-12"}
}

// invalid says where a schema breaks the rules for schemas, in the words in which a body would hear it.
func invalid(doc *Outline, e *jsonschema.SchemaValidationError) *Error {
	if at, cause, ok := badFormat(e.Err); ok {
		return &Error{Pointer: pointerOf(e.URL) + at, Reason: cause}
	}
	all := violations(doc.root, nil, e.Err)
	if len(all) == 0 {
		return &Error{Pointer: pointerOf(e.URL), Reason: "is not a valid schema, want an object with keywords of JSON Schema 2020-12"}
	}
	first := all[0]
	return &Error{Pointer: pointerOf(e.URL) + pointerTo(first.Loc), Reason: "not valid in a schema: " + first.Msg}
}

// badFormat finds the one thing that a violation has no words for: why a pattern is not a regular expression.
func badFormat(err error) (pointer, reason string, ok bool) {
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return "", "", false
	}
	if k, isFormat := e.ErrorKind.(*kind.Format); isFormat {
		for _, step := range e.InstanceLocation {
			pointer += "/" + escape(step)
		}
		if k.Want == "regex" {
			return pointer, k.Err.Error(), true
		}
		return pointer, fmt.Sprintf("is not a valid %s", k.Want), true
	}
	for _, cause := range e.Causes {
		if pointer, reason, ok = badFormat(cause); ok {
			return pointer, reason, true
		}
	}
	return "", "", false
}

// badRef names the reference whose target has this address.
func badRef(doc *Outline, target, reason string) *Error {
	for _, pointer := range doc.Schemas() {
		for _, keyword := range references {
			if ref, ok := doc.sites[pointer].schema[keyword].(string); ok && leadsTo(ref, target) {
				return &Error{Pointer: pointer + "/" + keyword, Reason: fmt.Sprintf("%q %s", ref, reason)}
			}
		}
	}
	return &Error{Reason: fmt.Sprintf("reference %q %s", strings.TrimPrefix(target, base), reason)}
}

// leadsTo compares without the base that a relative reference was resolved against, which may be any $id.
func leadsTo(ref, target string) bool {
	if unescaped, err := url.PathUnescape(target); err == nil && strings.HasSuffix(unescaped, ref) {
		return true
	}
	document, _, _ := strings.Cut(ref, "#")
	return document != "" && strings.HasSuffix(target, strings.TrimLeft(document, "./"))
}

// pointerOf takes the JSON pointer out of a location such as schema://route/#/properties/x.
func pointerOf(location string) string {
	_, fragment, _ := strings.Cut(location, "#")
	if pointer, err := url.PathUnescape(fragment); err == nil {
		return pointer
	}
	return fragment
}

// escape makes a name one step of a JSON pointer (RFC 6901, section 3).
func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
