// Package admitted makes values that a JSON Schema may admit, with a liking for those at the edges: the least and the most, what
// is absent, null or empty, texts that break lines, paths and headers, and numbers that fit no machine's. It reads the common
// keywords and guesses at the rest, so the user of a value has to ask the schema whether it admits it.
package admitted

import (
	"math"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxDepth = 6 // of what a schema does not ask for
	maxMore  = 3 // items and members beyond the least
	long     = 70_000
)

// Texts are what text is made of that somebody may trip over.
var Texts = []string{
	"", " ", "a", "..", ".", "...", "/", "a/b", "%2e%2e", "%2F", "?", "#", "a?b=c&d",
	"a\nb", "a\r\nX-Evil: 1", "\x00", "a\x00b", "\x1f", "\x7f", "\t",
	"\u0085", "\u2028", "\ufeff", "\ufffd", "é", "e\u0301", "ß", "İ", "ſ", "日本語",
	"😀", "👩‍👩‍👧‍👦", "\U0010ffff", `"`, `\`, `'`, "`", "${1}", "$${", "{{x}}", "<script>",
	"null", "true", "false", "0", "-1", "1e999", "12345678901234567890", "NaN",
	"2026-11-28", "2026-11-28T16:00:00Z", "1h", "a@b.example",
	"http://example.com/", "550e8400-e29b-41d4-a716-446655440000", "AAA", "EUR", "DE", "0123456789abcdef",
}

// numbers are written as JSON.
var numbers = []string{
	"0", "-0", "1", "-1", "2", "7", "9", "10", "100", "0.5", "-0.5", "1.0", "1e2", "0.1", "1e-300",
	"2147483647", "2147483648", "-2147483649",
	"9007199254740993", "9223372036854775807", "9223372036854775808",
	"-9223372036854775808", "-9223372036854775809", "12345678901234567890",
	"18446744073709551616", "1e20", "-1e30", "1e300", "1.7976931348623157e308", "3.3333333333333333333333",
}

// Source makes values. It is not for several goroutines at once.
type Source struct {
	random *rand.Rand
	root   any
}

// New returns a source for a schema; equal seeds give equal values.
func New(schema jsontext.Value, seed uint64) (*Source, error) {
	s := &Source{random: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // to be repeated
	return s, json.Unmarshal(schema, &s.root)
}

// JSON makes one value.
func (s *Source) JSON() jsontext.Value {
	encoded, err := json.Marshal(s.value(s.root, 0), json.Deterministic(true))
	if err != nil { // of what this package makes nothing is beyond JSON
		return jsontext.Value("null")
	}
	return encoded
}

func pick[T any](s *Source, from []T) T { return from[s.random.IntN(len(from))] }

func (s *Source) once(in int) bool { return s.random.IntN(in) == 0 }

func (s *Source) value(schema any, depth int) any {
	keywords, ok := schema.(map[string]any)
	if !ok || depth > 4*maxDepth {
		return s.anything(depth)
	}
	for _, keyword := range []string{"default", "example"} {
		if v, has := keywords[keyword]; has && s.once(8) {
			return v
		}
	}
	if v, has := keywords["const"]; has {
		return v
	}
	if values, has := keywords["enum"].([]any); has && len(values) > 0 {
		return pick(s, values)
	}
	if ref, has := keywords["$ref"].(string); has {
		return s.value(s.find(ref), depth+1)
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if forms, has := keywords[keyword].([]any); has && len(forms) > 0 {
			return s.value(with(keywords, pick(s, forms), keyword), depth+1)
		}
	}
	if parts, has := keywords["allOf"].([]any); has && len(parts) > 0 {
		all := any(keywords)
		for _, part := range parts {
			all = with(all.(map[string]any), part, "allOf") //nolint:forcetypeassert // with gives such
		}
		return s.value(all, depth+1)
	}
	return s.typed(keywords, depth)
}

// with is what two schemas say together, as far as this package goes, without a keyword of the first.
func with(schema map[string]any, other any, without string) map[string]any {
	all := map[string]any{}
	for name, value := range schema {
		if name != without {
			all[name] = value
		}
	}
	more, _ := other.(map[string]any)
	for name, value := range more {
		switch old := all[name].(type) {
		case map[string]any:
			if added, ok := value.(map[string]any); ok {
				value = with(old, added, "")
			}
		case []any:
			if added, ok := value.([]any); ok && name == "required" {
				value = append(slices.Clone(old), added...)
			}
		}
		all[name] = value
	}
	return all
}

func (s *Source) find(ref string) any {
	at := s.root
	for token := range jsontext.Pointer(strings.TrimPrefix(ref, "#")).Tokens() {
		object, _ := at.(map[string]any)
		at = object[token]
	}
	return at
}

func (s *Source) typed(k map[string]any, depth int) any {
	name, _ := k["type"].(string)
	if names, several := k["type"].([]any); several && len(names) > 0 {
		name, _ = pick(s, names).(string)
	}
	if name == "" && (k["properties"] != nil || k["required"] != nil) {
		name = "object"
	}
	switch name {
	case "null":
		return nil
	case "boolean":
		return s.once(2)
	case "integer", "number":
		return s.number(k, name == "integer")
	case "string":
		return s.text(k)
	case "array":
		return s.list(k, depth)
	case "object":
		return s.object(k, depth)
	}
	return s.anything(depth)
}

func (s *Source) anything(depth int) any {
	most := 6
	if depth > maxDepth {
		most = 4
	}
	switch s.random.IntN(most) {
	case 0:
		return nil
	case 1:
		return s.once(2)
	case 2:
		return s.number(nil, false)
	case 3:
		return pick(s, Texts)
	case 4:
		return s.list(nil, depth)
	default:
		return s.object(nil, depth)
	}
}

func bound(k map[string]any, keyword string, otherwise int) int {
	if n, ok := k[keyword].(float64); ok {
		return int(n)
	}
	return otherwise
}

// number takes one of the edges that the keywords name, or of those that machines have.
func (s *Source) number(k map[string]any, whole bool) any {
	var edges []float64
	for keyword, steps := range map[string][]float64{
		"minimum": {0, 1}, "maximum": {0, -1}, "exclusiveMinimum": {1, 0.5}, "exclusiveMaximum": {-1, -0.5}, "multipleOf": {0, 0},
	} {
		if edge, ok := k[keyword].(float64); ok {
			for _, step := range steps {
				edges = append(edges, edge+step)
			}
		}
	}
	slices.Sort(edges)
	for range triesForOne {
		if len(edges) > 0 && !s.once(3) {
			if edge := pick(s, edges); within(k, edge) && (!whole || edge == math.Trunc(edge)) {
				return edge
			}
		}
		text := pick(s, numbers)
		isWhole := !strings.Contains(text, ".") && !strings.Contains(text, "e-")
		if n, err := strconv.ParseFloat(text, 64); err == nil && within(k, n) && (isWhole || !whole) {
			return jsontext.Value(text)
		}
	}
	return 0
}

// triesForOne are how often a number or text is made anew that its schema does not admit.
const triesForOne = 50

func within(k map[string]any, n float64) bool {
	limit := func(keyword string, broken func(limit float64) bool) bool {
		at, ok := k[keyword].(float64)
		return ok && broken(at)
	}
	return !limit("minimum", func(at float64) bool { return n < at }) &&
		!limit("maximum", func(at float64) bool { return n > at }) &&
		!limit("exclusiveMinimum", func(at float64) bool { return n <= at }) &&
		!limit("exclusiveMaximum", func(at float64) bool { return n >= at }) &&
		!limit("multipleOf", func(at float64) bool { return math.Mod(n, at) != 0 })
}

// text is of a length at an edge, made of what somebody may trip over.
func (s *Source) text(k map[string]any) string {
	least, most := bound(k, "minLength", 0), bound(k, "maxLength", long)
	text := pick(s, Texts)
	switch s.random.IntN(8) {
	case 0:
		text = strings.Repeat("x", least)
	case 1:
		text = strings.Repeat("é", min(most, long))
	case 2:
		text = pick(s, Texts) + pick(s, Texts)
	}
	runes := []rune(text)
	for len(runes) < least {
		runes = append(runes, []rune("x"+text)...)
	}
	text = string(runes[:min(len(runes), most)])
	if pattern, has := k["pattern"].(string); has {
		return s.like(pattern, text, least, most)
	}
	return text
}

// like makes a text that a pattern matches, of a length, or gives another one.
func (s *Source) like(pattern, otherwise string, least, most int) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil { // what only ECMA's patterns have
		return otherwise
	}
	for range triesForOne {
		var b strings.Builder
		s.match(&b, parsed)
		if n := len([]rune(b.String())); n >= least && n <= most {
			return b.String()
		}
	}
	return otherwise
}

// match writes a text that an expression matches.
func (s *Source) match(b *strings.Builder, r *syntax.Regexp) {
	least, most := r.Min, r.Max
	switch r.Op {
	case syntax.OpLiteral:
		b.WriteString(string(r.Rune))
		return
	case syntax.OpCharClass:
		if i := s.random.IntN(max(len(r.Rune)/2, 1)) * 2; i < len(r.Rune) {
			b.WriteRune(r.Rune[i] + s.random.Int32N(r.Rune[i+1]-r.Rune[i]+1))
		}
		return
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune(pick(s, []rune("a.é/日 ")))
		return
	case syntax.OpAlternate:
		s.match(b, pick(s, r.Sub))
		return
	case syntax.OpStar:
		least, most = 0, -1
	case syntax.OpPlus:
		least, most = 1, -1
	case syntax.OpQuest:
		least, most = 0, 1
	case syntax.OpRepeat:
	default: // groups and sequences, and what matches no text
		least, most = 1, 1
	}
	if most < 0 {
		most = least + maxMore
	}
	for range least + s.random.IntN(most-least+1) {
		for _, part := range r.Sub {
			s.match(b, part)
		}
	}
}

func (s *Source) list(k map[string]any, depth int) any {
	least := bound(k, "minItems", 0)
	size := least
	if depth <= maxDepth && s.once(2) {
		size = min(least+s.random.IntN(maxMore+1), bound(k, "maxItems", least+maxMore))
	}
	prefix, _ := k["prefixItems"].([]any)
	list := []any{}
	for i := range max(size, min(len(prefix), bound(k, "maxItems", len(prefix)))) {
		if i < len(prefix) {
			list = append(list, s.value(prefix[i], depth+1))
		} else {
			list = append(list, s.value(k["items"], depth+1))
		}
	}
	return list
}

func (s *Source) object(k map[string]any, depth int) any {
	properties, _ := k["properties"].(map[string]any)
	required, _ := k["required"].([]any)
	object := map[string]any{}
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.Contains(required, any(name)) || depth <= maxDepth && s.once(2) {
			object[name] = s.value(properties[name], depth+1)
		}
	}
	for _, name := range required {
		if name, ok := name.(string); ok && properties[name] == nil {
			object[name] = s.anything(depth + 1)
		}
	}
	others, declared := k["additionalProperties"]
	if others == false || depth > maxDepth {
		return object
	}
	for range s.random.IntN(maxMore) + bound(k, "minProperties", 0) {
		if name := pick(s, Texts); properties[name] == nil {
			if declared {
				object[name] = s.value(others, depth+1)
			} else {
				object[name] = s.anything(depth + 1)
			}
		}
	}
	return object
}
