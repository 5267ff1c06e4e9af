package schema

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// scalar reads one text as one of the types that its schemas accept.
type scalar struct {
	types []string // string first, since a text is one already; else in the schema's order
	rules []*rule
}

// newScalar takes the schemas that the value has to satisfy together.
func newScalar(within *Schema, schemas []*jsonschema.Schema) (*scalar, error) {
	var types []string
	pointer := ""
	for _, s := range schemas {
		types, pointer = narrow(types, typesOf(s)), pointerOf(s.Location)
	}
	if types == nil {
		types = []string{"string"}
	}
	for _, t := range types {
		if t == "object" || t == "array" {
			return nil, &Error{Pointer: pointer, Reason: "accepts an " + t + ", which text cannot represent; " +
				"want a string, a number, an integer or a boolean"}
		}
	}
	types = slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == "null" })
	if len(types) == 0 {
		return nil, &Error{Pointer: pointer, Reason: "accepts no value that text can represent; " +
			"want a string, a number, an integer or a boolean"}
	}
	if i := slices.Index(types, "string"); i > 0 {
		types = slices.Insert(slices.Delete(types, i, i+1), 0, "string")
	}
	read := &scalar{types: types}
	for _, s := range schemas {
		read.rules = append(read.rules, within.rules[s])
	}
	return read, nil
}

// parse reads text as the first type under which it is valid. If it is valid under none, it gives the first value that
// it could be read as, or nil, and the keys in answers of the types that it could not be read as.
func (s *scalar) parse(w *WorkBudget, text string) (value any, failed []string) {
	for _, t := range s.types {
		v, keyword := coerce(t, text)
		switch {
		case keyword != "":
			failed = append(failed, keyword)
		case len(s.types) == 1 || s.valid(w, v):
			return v, nil
		case value == nil:
			value = v
		}
	}
	return value, failed
}

func (s *scalar) valid(w *WorkBudget, v any) bool {
	e := evaluation{work: w}
	return !slices.ContainsFunc(s.rules, func(r *rule) bool { return !e.apply(r, v, nil, nil, nil) })
}

// typesInOrder is the order in which types are tried that a schema lists in one `type`, where order has no meaning.
var typesInOrder = []string{"string", "integer", "number", "boolean", "array", "object", "null"}

// typesOf lists the types that a schema may accept, or nil for any. It ends: a schema that would apply itself to the same
// value has been refused.
func typesOf(s *jsonschema.Schema) []string {
	var types []string
	if s.Types != nil {
		listed := s.Types.ToStrings()
		types = slices.DeleteFunc(slices.Clone(typesInOrder), func(t string) bool { return !slices.Contains(listed, t) })
	}
	if s.Const != nil {
		types = narrow(types, []string{typeOf(*s.Const)})
	}
	if s.Enum != nil {
		var listed []string
		for _, v := range s.Enum.Values {
			listed = append(listed, typeOf(v))
		}
		types = narrow(types, listed)
	}
	for _, also := range same(s) {
		types = narrow(types, typesOf(also))
	}
	types = narrow(types, unionOf(s.AnyOf))
	return narrow(types, unionOf(s.OneOf))
}

func unionOf(branches []*jsonschema.Schema) []string {
	var types []string
	for _, branch := range branches {
		accepted := typesOf(branch)
		if accepted == nil {
			return nil
		}
		types = append(types, accepted...)
	}
	return types
}

// narrow gives the types that both lists have, in the order of the first; nil has all. An integer is a number.
func narrow(a, b []string) []string {
	if a == nil {
		return compact(b)
	}
	if b == nil {
		return a
	}
	out := []string{}
	for _, t := range a {
		switch {
		case slices.Contains(b, t), t == "integer" && slices.Contains(b, "number"):
			out = append(out, t)
		case t == "number" && slices.Contains(b, "integer"):
			out = append(out, "integer")
		}
	}
	return compact(out)
}

// compact drops repetitions; it keeps the order, and nil.
func compact(types []string) []string {
	var out []string
	for i, t := range types {
		if !slices.Contains(types[:i], t) {
			out = append(out, t)
		}
	}
	if out == nil && types != nil {
		return []string{}
	}
	return out
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case float64:
		if v != math.Trunc(v) {
			return "number"
		}
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return "number"
		}
	}
	return "integer"
}

// coerce reads text as Pydantic's lax mode does (its page "Conversion Table"; checked against 2.14), or gives the key in
// answers for why it cannot. Where Pydantic would give an infinity or no number at all, JSON has no value: that is refused,
// as Pydantic does with allow_inf_nan=False.
func coerce(to, text string) (v any, failed string) {
	switch to {
	case "integer":
		return coerceInteger(text)
	case "number":
		return coerceNumber(text)
	case "boolean":
		return coerceBoolean(text)
	default:
		return text, ""
	}
}

// coerceInteger takes a sign, leading zeros, single underscores between digits, spaces around it all, and a fraction of
// nothing but zeros. What Pydantic lets pass after leading zeros, a second sign or a run of underscores (0-1 is -1 to it), is
// refused.
func coerceInteger(text string) (any, string) {
	digits := strings.TrimSpace(text)
	if whole, zeros, found := strings.Cut(digits, "."); found {
		if zeros == "" || strings.Trim(zeros, "0") != "" {
			return nil, "parse:integer"
		}
		digits = whole
	}
	digits, ok := plainDigits(digits)
	if !ok {
		return nil, "parse:integer"
	}
	n, err := number([]byte(digits))
	if err != nil {
		return nil, "parse:size"
	}
	return n, ""
}

// plainDigits gives a signed run of digits as JSON writes it.
func plainDigits(text string) (string, bool) {
	sign := ""
	switch {
	case strings.HasPrefix(text, "-"):
		sign, text = "-", text[1:]
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	text, ok := withoutUnderscores(text)
	if !ok || text == "" || strings.Trim(text, "0123456789") != "" {
		return "", false
	}
	if text = strings.TrimLeft(text, "0"); text == "" {
		return "0", true
	}
	return sign + text, true
}

// withoutUnderscores refuses those at either end, and two in a row.
func withoutUnderscores(text string) (string, bool) {
	if strings.HasPrefix(text, "_") || strings.HasSuffix(text, "_") || strings.Contains(text, "__") {
		return "", false
	}
	return strings.ReplaceAll(text, "_", ""), true
}

// coerceNumber takes what Python's float takes, and, like Pydantic, either underscores or spaces around it, but not both.
func coerceNumber(text string) (any, string) {
	trimmed := strings.TrimSpace(text)
	if trimmed != text && strings.Contains(text, "_") {
		return nil, "parse:number"
	}
	text, ok := withoutUnderscores(trimmed)
	if !ok || strings.ContainsAny(text, "xX") { // Go reads hexadecimal fractions
		return nil, "parse:number"
	}
	f, err := strconv.ParseFloat(unsignedNaN(text), 64)
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f): // also where err says that it is out of range
		return nil, "parse:finite"
	case err != nil:
		return nil, "parse:number"
	}
	return f, ""
}

// unsignedNaN takes from "nan" a sign, which Python allows and Go does not.
func unsignedNaN(text string) string {
	if len(text) == len("+nan") && strings.EqualFold(text[1:], "nan") && (text[0] == '+' || text[0] == '-') {
		return text[1:]
	}
	return text
}

func coerceBoolean(text string) (any, string) {
	switch strings.ToLower(text) {
	case "1", "true", "t", "yes", "y", "on":
		return true, ""
	case "0", "false", "f", "no", "n", "off":
		return false, ""
	}
	return nil, "parse:boolean"
}
