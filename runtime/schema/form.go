package schema

import (
	"context"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Form reads the fields of a form as its schema demands, which is that of an object. It is immutable and may be used from many
// goroutines.
type Form struct {
	schema *Schema
	fields map[string]*field // those that the schema names, and the files
	others *field            // nil if the schema says nothing of others
	listed []string          // the names of the files
}

// field is how the values of one field are read.
type field struct {
	isFile, isList bool
	scalar         *scalar // nil for a list, or a file
	list           list
}

// Sent is one value of a field, as a client sent it.
type Sent struct {
	// Text is empty for a file.
	Text   string
	IsFile bool
}

// CompileForm reads the schema of a form; files are the names of its files, and whether each is a list of them: to the schema, a
// file is a string. Refused are, besides what Compile refuses, schemas that no form can satisfy: of anything but an object, and of
// properties as CompileParameter refuses them. Errors are as Compile's.
func CompileForm(raw []byte, files map[string]bool, options ...Option) (*Form, error) {
	s, err := Compile(raw, options...)
	if err != nil {
		return nil, err
	}
	if types := typesOf(s.compiled); types != nil && !slices.Contains(types, "object") {
		return nil, &Error{Reason: "accepts no object, which the fields of a form are; want type: object"}
	}
	f := &Form{schema: s, fields: map[string]*field{}, listed: sortedKeys(files)}
	named, others := memberSchemas(formsOf(s.compiled, "object"))
	for _, name := range sortedKeys(named) {
		if _, isFile := files[name]; isFile {
			continue
		}
		if f.fields[name], err = newField(s, named[name]); err != nil {
			return nil, err
		}
	}
	for name, isList := range files {
		f.fields[name] = &field{isFile: true, isList: isList}
	}
	if len(others) > 0 {
		f.others, err = newField(s, others)
	}
	return f, err
}

// memberSchemas are the schemas that members have to satisfy together: of those that are named, and of others.
func memberSchemas(objects []*jsonschema.Schema) (named map[string][]*jsonschema.Schema, others []*jsonschema.Schema) {
	named = map[string][]*jsonschema.Schema{}
	for _, object := range objects {
		for name, member := range object.Properties {
			named[name] = append(named[name], member)
		}
		if other, ok := object.AdditionalProperties.(*jsonschema.Schema); ok {
			others = append(others, other)
		}
	}
	return named, others
}

func newField(within *Schema, schemas []*jsonschema.Schema) (*field, error) {
	var types []string
	for _, s := range schemas {
		types = narrow(types, typesOf(s))
	}
	var f field
	var err error
	if f.isList, err = listOrSingle(types, pointerOf(schemas[0].Location)); err != nil {
		return nil, err
	}
	if f.isList {
		f.list, err = newList(within, schemas)
	} else {
		f.scalar, err = newScalar(within, schemas)
	}
	return &f, err
}

// Automata is as a Schema's.
func (f *Form) Automata() int { return f.schema.automata }

// Schema is what the form was compiled from.
func (f *Form) Schema() *Schema { return f.schema }

// Check reads the values of a form's fields. It gives those of its texts as Check of a Schema does, without the files, of which
// it says only that they are there and how many. Of several values of a field that is no list, the last counts. As in FastAPI, an
// empty text is an absent one, unless it is an item of a list or of a field that the schema does not name; of these, one value is
// a text, and several are a list.
func (f *Form) Check(ctx context.Context, sent map[string][]Sent) (map[string]any, []problem.Violation, error) {
	r := formReader{Form: f, work: NewWorkBudget(ctx), values: map[string]any{}, raw: map[string]any{}, files: f.listed}
	for _, name := range sortedKeys(sent) {
		r.read(name, sent[name])
	}
	if err := r.work.interrupted(); err != nil {
		return nil, nil, err
	}
	value, wrong, err := f.schema.value(r.work, r.values, inBody)
	if wrong = r.merged(wrong); err != nil || len(wrong) > 0 {
		return nil, wrong, err
	}
	object, _ := value.(map[string]any)
	for _, name := range r.files {
		delete(object, name)
	}
	return object, nil, nil
}

// NotUnicode is the violation of a file in the body of which text is wanted, and that is not UTF-8; the steps lead to it.
func NotUnicode(steps ...any) problem.Violation {
	return violation(append(slices.Clip(inBody), steps...), "unicode", nil)
}

// formReader reads the fields of one form.
type formReader struct {
	*Form

	work   *WorkBudget
	values map[string]any // as the schema shall see them
	raw    map[string]any // the texts, as they were sent
	files  []string       // that values has something in the place of
	unread []unread
}

// unread is a value that could not be read as what its field wants.
type unread struct {
	loc []any
	// instead are violations in the place of those that the schema finds at loc. Without any, only a value that the schema takes
	// needs one: it is a file where a text is due.
	instead []problem.Violation
}

func (r *formReader) read(name string, sent []Sent) {
	f := r.fields[name]
	if f == nil {
		f = r.others
	}
	last := sent[len(sent)-1]
	switch loc := append(slices.Clip(inBody), any(clip(name))); {
	case f == nil:
		r.unknown(name, sent)
	case f.isList:
		items, texts := make([]any, len(sent)), make([]any, len(sent))
		for i, s := range sent {
			items[i], texts[i] = r.value(f, f.list.at(i), s, append(slices.Clip(loc), i)), s.Text
		}
		r.values[name] = items
		r.keep(name, texts, f)
	case last.IsFile || last.Text != "":
		r.values[name] = r.value(f, f.scalar, last, loc)
		r.keep(name, last.Text, f)
	}
}

// keep keeps the texts of a field that is not a file.
func (r *formReader) keep(name string, texts any, f *field) {
	if !f.isFile {
		r.raw[name] = texts
	}
}

// unknown takes a field that the schema does not name: its texts as they are, and no files.
func (r *formReader) unknown(name string, sent []Sent) {
	var texts []any
	for _, s := range sent {
		if !s.IsFile {
			texts = append(texts, s.Text)
		}
	}
	switch len(texts) {
	case 0:
		r.values[name], r.files = "", append(slices.Clip(r.files), name) // for a schema that forbids it
		return
	case 1:
		r.values[name] = texts[0]
	default:
		r.values[name] = texts
	}
	r.raw[name] = r.values[name]
}

// value reads one value. What cannot be read remains a text, in the place of which the schema wants something else.
func (r *formReader) value(f *field, s *scalar, sent Sent, loc []any) any {
	r.work.step(perItem)
	switch {
	case f.isFile && !sent.IsFile:
		r.unread = append(r.unread, unread{loc, []problem.Violation{violation(loc, "file", map[string]any{"error": map[string]any{}})}})
		return ""
	case f.isFile:
		return ""
	case sent.IsFile:
		r.unread = append(r.unread, unread{loc: loc})
		return map[string]any{}
	}
	value, failed := s.parse(r.work, sent.Text)
	if value != nil {
		return value
	}
	var instead []problem.Violation
	for _, keyword := range failed {
		instead = append(instead, violation(loc, keyword, nil))
	}
	r.unread = append(r.unread, unread{loc, instead})
	return sent.Text
}

// merged are the violations that the schema has found, with those of values that could not be read in their places.
func (r *formReader) merged(found []problem.Violation) []problem.Violation {
	for _, u := range r.unread {
		at := slices.IndexFunc(found, func(v problem.Violation) bool { return slices.Equal(v.Loc, u.loc) })
		switch {
		case at >= 0 && u.instead == nil:
			continue
		case u.instead == nil:
			u.instead = []problem.Violation{violation(u.loc, "type:string", nil)}
		}
		if at < 0 {
			at = len(found)
		}
		found = slices.DeleteFunc(found, func(v problem.Violation) bool { return slices.Equal(v.Loc, u.loc) })
		found = slices.Insert(found, min(at, len(found)), u.instead...)
	}
	found = found[:min(len(found), MaxViolations)]
	if r.schema.echo {
		r.echo(found)
	}
	return found
}

// echo repeats the texts as they were sent, and nothing of files.
func (r *formReader) echo(found []problem.Violation) {
	for i := range found {
		found[i].Input = nil
	}
	echo(found, maps.Clone(r.raw), len(inBody))
}
