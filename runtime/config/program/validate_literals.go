package program

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
)

// literals refuses what looks like a template and is none: it would be sent as it stands, and nobody would notice. What is
// already wrong there is said in these words instead; otherwise a config that has errors has enough of them, since fields that
// were not reached were not compiled.
func (v *validator) literals(c *config.Config) {
	l := &literals{templates: v.templated}
	l.field("", reflect.ValueOf(c).Elem())
	clean := len(v.errs) == 0
	for _, found := range l.found {
		at := slices.IndexFunc(v.errs, func(e config.FieldError) bool { return e.Path == found.Path })
		switch {
		case at >= 0:
			v.errs[at] = found
		case clean:
			v.errs = append(v.errs, found)
		}
	}
}

// literals looks through a config for what is not a template.
type literals struct {
	// templates are the paths of those that are.
	templates map[string]bool
	found     config.Errors
}

var jsonValue = reflect.TypeFor[jsontext.Value]()

// field looks through a field, or the members of one. Its path is that of errors.
func (l *literals) field(path string, value reflect.Value) {
	switch {
	case value.Type() == jsonValue:
		l.json(path, value.Bytes())
	case l.templates[path]:
	case value.Kind() == reflect.String:
		l.text(path, value.String())
	case value.Kind() == reflect.Pointer && !value.IsNil():
		l.field(path, value.Elem())
	case value.Kind() == reflect.Struct:
		l.members(path, value)
	case value.Kind() == reflect.Slice:
		for i := range value.Len() {
			l.field(config.Item(path, i), value.Index(i))
		}
	}
}

func (l *literals) members(path string, value reflect.Value) {
	for i := range value.NumField() {
		f := value.Type().Field(i)
		if f.Anonymous {
			l.field(path, value.Field(i))
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		l.field(strings.TrimPrefix(path+"."+name, "."), value.Field(i))
	}
}

// text refuses both ways to write templates that people know.
func (l *literals) text(path, text string) {
	switch {
	case strings.Contains(text, "${"):
		l.addf(path, "contains ${, but is not a template, and would be used as it stands; %s", instead(path))
	case strings.Contains(text, "{{"):
		l.addf(path, "contains {{, which no field reads as a template, and would be used as it stands; %s", instead(path))
	}
}

func (l *literals) addf(path, format string, args ...any) {
	l.found = append(l.found, config.FieldErrorf(path, format, args...))
}

// instead is how to write what is probably meant.
func instead(path string) string {
	const choose = "list the names that a step's upstream may choose in its upstreams, such as upstreams: [BIG, SMALL]"
	switch last := path[strings.LastIndexByte(path, '.')+1:]; last {
	case "upstream":
		return "write a name, such as upstream: NAME; to choose one by an expression, " + choose
	case "function":
		return `write a name, such as function: NAME; to choose one by an expression, write a gather whose branches have a when, ` +
			`such as when: "${steps.big}"`
	case "model":
		return "write the model's name; to choose one by an expression, declare an upstream for each, and " + choose
	case "origin":
		return "write a scheme and a host, such as https://login.example.com; an expression may not say where clients are sent, but " +
			"path and query may have templates"
	case "value":
		return "write the value, or secretKeyRef: {name: NAME, key: KEY} for one that a Secret has; " +
			"an http step's headers and query may have templates"
	}
	return "write the value itself"
}

// valued are the keywords of a JSON Schema that hold values. Patterns and descriptions may contain anything.
var valued = []string{"const", "default", "enum", "examples"}

// named are the keywords whose members have names of the schema's author.
var named = []string{"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}

// json looks at the values in a schema: all other JSON of a config is made of templates.
func (l *literals) json(path string, raw jsontext.Value) {
	if l.templates[path] || !strings.Contains(string(raw), "${") {
		return
	}
	var value any
	if json.Unmarshal(raw, &value, jsontext.AllowDuplicateNames(true)) != nil {
		return // which others report
	}
	l.schema(path, value)
}

func (l *literals) schema(path string, value any) {
	each(path, value, func(here, name string, below any) {
		switch {
		case slices.Contains(valued, name):
			l.values(here, below)
		case slices.Contains(named, name):
			each(here, below, func(here, _ string, below any) { l.schema(here, below) })
		default:
			l.schema(here, below)
		}
	})
}

func (l *literals) values(path string, value any) {
	if text, ok := value.(string); ok && strings.Contains(text, "${") {
		l.addf(path, "contains ${, but a schema has no templates; write the value itself, or set it in a step")
	}
	each(path, value, func(path, _ string, below any) { l.values(path, below) })
}

// each visits the members of an object, by name, and the items of a list, whose names are empty.
func each(path string, value any, visit func(path, name string, below any)) {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			visit(path+"."+name, name, value[name])
		}
	case []any:
		for i, item := range value {
			visit(config.Item(path, i), "", item)
		}
	}
}
