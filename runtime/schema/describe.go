package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/llmservice/llmservice/runtime/problem"
)

// describe gives the key in answers, and ctx, for the errors that stand for one keyword at one place.
//
//nolint:funlen // one line for each keyword
func describe(k jsonschema.ErrorKind) (keyword string, ctx map[string]any) {
	switch k := k.(type) {
	case *kind.Enum:
		return "enum", map[string]any{"expected": expected(k.Want)}
	case *kind.Const:
		return "const", map[string]any{"expected": expected([]any{k.Want})}
	case *kind.FalseSchema:
		return "false", nil
	case *kind.MinLength:
		return "minLength", map[string]any{"min_length": k.Want}
	case *kind.MaxLength:
		return "maxLength", map[string]any{"max_length": k.Want}
	case *kind.Pattern:
		return "pattern", map[string]any{"pattern": k.Want}
	case *kind.Minimum:
		return "minimum", map[string]any{"ge": decimal(k.Want)}
	case *kind.ExclusiveMinimum:
		return "exclusiveMinimum", map[string]any{"gt": decimal(k.Want)}
	case *kind.Maximum:
		return "maximum", map[string]any{"le": decimal(k.Want)}
	case *kind.ExclusiveMaximum:
		return "exclusiveMaximum", map[string]any{"lt": decimal(k.Want)}
	case *kind.MultipleOf:
		return "multipleOf", map[string]any{"multiple_of": decimal(k.Want)}
	case *kind.MinItems:
		return "minItems", length("List", "min_length", k.Want, k.Got)
	case *kind.MaxItems:
		return "maxItems", length("List", "max_length", k.Want, k.Got)
	case *kind.MinProperties:
		return "minProperties", length("Dictionary", "min_length", k.Want, k.Got)
	case *kind.MaxProperties:
		return "maxProperties", length("Dictionary", "max_length", k.Want, k.Got)
	case *kind.UniqueItems:
		return "uniqueItems", map[string]any{"first": k.Duplicates[0], "second": k.Duplicates[1]}
	case *kind.Contains:
		return "contains", map[string]any{"min_matches": 1, "actual_matches": 0}
	case *kind.MinContains:
		return "contains", map[string]any{"min_matches": k.Want, "actual_matches": len(k.Got)}
	case *kind.MaxContains:
		return "maxContains", map[string]any{"max_matches": k.Want, "actual_matches": len(k.Got)}
	case *kind.Not:
		return "not", nil
	case *kind.Format:
		return describeFormat(k.Want)
	}
	return "other", nil
}

func length(what, bound string, want, got int) map[string]any {
	return map[string]any{"field_type": what, bound: want, "actual_length": got}
}

// decimal writes a schema's number in full, as the schema's author would.
func decimal(r *big.Rat) json.Number {
	if digits, exact := r.FloatPrec(); exact {
		return json.Number(r.FloatString(digits))
	}
	f, _ := r.Float64()
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}

// violation puts a failed keyword into words.
func violation(loc []any, keyword string, ctx map[string]any) problem.Violation {
	a := answers[keyword]
	return problem.Violation{Type: a.kind, Loc: loc, Msg: fill(a.message, ctx), Ctx: ctx}
}

// fill puts ctx into a template.
func fill(template string, ctx map[string]any) string {
	var b strings.Builder
	plural := ""
	for {
		text, rest, found := strings.Cut(template, "{")
		b.WriteString(text)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		template = after
		if name == "s" {
			b.WriteString(plural)
			continue
		}
		if value, counted := ctx[name]; counted && value == nil { // which Pydantic has not counted to its end
			b.WriteString("more")
			continue
		}
		if n, isInt := ctx[name].(int); isInt && n == 1 {
			plural = ""
		} else {
			plural = "s"
		}
		fmt.Fprint(&b, ctx[name])
	}
}

// expected lists values the way Pydantic does: 'a', 'b' or 3.
func expected(values []any) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case b.Len() > maxShownValues:
			b.WriteString(", …")
			return b.String()
		case i > 0 && i == len(values)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(shorten(python(v), maxShownValues))
	}
	return b.String()
}

// sentInPython is python for a value that a client sent, which may be large.
func sentInPython(v any) string {
	if size(v, MaxInputBytes) < 0 {
		return "…"
	}
	return python(v)
}

// python writes a value as Python's repr does, on which Pydantic's wording is built. Members come by their names.
func python(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return pythonText(v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = python(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var members []string
		for _, name := range sortedKeys(v) {
			members = append(members, pythonText(name)+": "+python(v[name]))
		}
		return "{" + strings.Join(members, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// pythonText writes a string as Python's repr does.
func pythonText(s string) string {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteString(`\` + string(r))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(pythonEscape(r))
		}
	}
	b.WriteRune(quote)
	return b.String()
}

func pythonEscape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 1<<8:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 1<<16:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}
