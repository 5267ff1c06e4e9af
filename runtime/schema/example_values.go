package schema

import (
	"encoding/json"
	"iter"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/pattern"
)

// formatExamples has two values of each format of JSON Schema 2020-12, section 7.3, and of some that OpenAPI adds.
var formatExamples = map[string][2]string{
	"date-time":             {"2026-01-31T09:30:00Z", "2026-02-01T10:00:00Z"},
	"date":                  {"2026-01-31", "2026-02-01"},
	"time":                  {"09:30:00Z", "10:00:00Z"},
	"duration":              {"PT30M", "P1D"},
	"email":                 {"ada@example.com", "alan@example.com"},
	"idn-email":             {"ada@example.com", "alan@example.com"},
	"hostname":              {"www.example.com", "api.example.com"},
	"idn-hostname":          {"www.example.com", "api.example.com"},
	"ipv4":                  {"192.0.2.1", "192.0.2.2"},
	"ipv6":                  {"2001:db8::1", "2001:db8::2"},
	"uri":                   {"https://example.com/", "https://example.com/about"},
	"iri":                   {"https://example.com/", "https://example.com/about"},
	"uri-reference":         {"/about", "/contact"},
	"iri-reference":         {"/about", "/contact"},
	"uri-template":          {"/items/{id}", "/users/{id}"},
	"uuid":                  {"3fa85f64-5717-4562-b3fc-2c963f66afa6", "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
	"json-pointer":          {"/name", "/items/0"},
	"relative-json-pointer": {"1/name", "0"},
	"regex":                 {"^[a-z]+$", "^[0-9]+$"},
	"byte":                  {"SGVsbG8=", "V29ybGQ="},
	"password":              {"correct horse", "battery staple"},
}

// texts gives one of the format, one of the pattern, and then a text that says that it is an example.
func (m *maker) texts(want wanted) iter.Seq[any] {
	return func(yield func(any) bool) {
		least, most := leastOf(want.rules, minLength), mostOf(want.rules, maxLength)
		for _, r := range want.rules {
			if text, ok := m.ofFormat(r, want.variant); ok && !yield(text) {
				return
			}
			if r.pattern != nil && least <= pattern.MaxExample {
				if text, ok := r.pattern.Example(least, want.variant); ok && !yield(text) {
					return
				}
			}
		}
		for _, text := range plainTexts(want, least, most) {
			if !yield(text) {
				return
			}
		}
	}
}

// ofFormat finds the format in the schema's text, since one that is not asserted is in nothing else.
func (m *maker) ofFormat(r *rule, variant int) (string, bool) {
	site := m.outline.sites[pointerOf(r.Location)]
	if site == nil {
		return "", false
	}
	name, _ := site.schema["format"].(string)
	values, ok := formatExamples[name]
	return values[variant%len(values)], ok
}

func plainTexts(want wanted, least, most int) []string {
	if least > pattern.MaxExample {
		return nil
	}
	name := strings.Join(strings.FieldsFunc(want.name, func(r rune) bool { return r == '_' || r == '-' }), " ")
	number := ""
	if want.variant > 0 {
		number = " " + strconv.Itoa(want.variant+1)
	}
	var all []string
	for _, text := range []string{"Example " + name, name, "Example", "Text", ""} {
		text = strings.TrimSpace(strings.TrimSpace(text) + number)
		all = append(all, fitting(text, least, most))
	}
	return append(all, strconv.Itoa(want.variant))
}

// fitting repeats a text until it is long enough, and cuts it if it is too long.
func fitting(text string, least, most int) string {
	for n := utf8.RuneCountInString(text); n < least; n = utf8.RuneCountInString(text) {
		text = strings.TrimSpace(text + " and more")
	}
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:max(most, 0)]))
}

// numbers gives 1 if it is allowed, and otherwise what is at the bounds, between them, or the first multiple.
func numbers(want wanted, whole bool) iter.Seq[any] {
	r := rangeOf(want.rules, whole)
	offset := new(big.Rat).Mul(r.step, big.NewRat(int64(want.variant), 1))
	return func(yield func(any) bool) {
		for _, n := range r.candidates() {
			for _, shifted := range []*big.Rat{new(big.Rat).Add(n, offset), new(big.Rat).Sub(n, offset)} {
				if number, ok := numberOf(r.onStep(shifted)); ok && !yield(number) {
					return
				}
			}
		}
	}
}

// numberRange is where the numbers are that rules allow; either end is nil if there is none.
type numberRange struct {
	least, most *big.Rat
	step        *big.Rat
	stepped     bool
}

func rangeOf(rules []*rule, whole bool) numberRange {
	r := numberRange{step: big.NewRat(1, 1), stepped: whole}
	for _, rule := range rules {
		s := rule.Schema
		for _, least := range []*big.Rat{s.Minimum, s.ExclusiveMinimum} {
			if least != nil && (r.least == nil || r.least.Cmp(least) < 0) {
				r.least = least
			}
		}
		for _, most := range []*big.Rat{s.Maximum, s.ExclusiveMaximum} {
			if most != nil && (r.most == nil || r.most.Cmp(most) > 0) {
				r.most = most
			}
		}
		if s.MultipleOf != nil && s.MultipleOf.Sign() > 0 {
			r.step, r.stepped = common(r.step, s.MultipleOf, r.stepped), true
		}
	}
	return r
}

// common is the least number that is a multiple of both, or the second alone if the first is none of the schema's.
func common(one, other *big.Rat, both bool) *big.Rat {
	if !both {
		return other
	}
	// lcm(a/b, c/d) is lcm(a*d, c*b) / (b*d).
	a := new(big.Int).Mul(one.Num(), other.Denom())
	b := new(big.Int).Mul(other.Num(), one.Denom())
	if a.BitLen()+b.BitLen() > 2*maxNumberBits {
		return other
	}
	product := new(big.Int).Mul(a, b)
	product.Quo(product, new(big.Int).GCD(nil, nil, a, b))
	return new(big.Rat).SetFrac(product, new(big.Int).Mul(one.Denom(), other.Denom()))
}

func (r numberRange) candidates() []*big.Rat {
	all := []*big.Rat{big.NewRat(1, 1)}
	if r.least != nil && r.most != nil {
		middle := new(big.Rat).Add(r.least, r.most)
		all = append(all, middle.Quo(middle, big.NewRat(2, 1)))
	}
	if r.least != nil {
		all = append(all, r.least, new(big.Rat).Add(r.least, r.step))
	}
	if r.most != nil {
		all = append(all, r.most, new(big.Rat).Sub(r.most, r.step))
	}
	return append(all, new(big.Rat))
}

// onStep is the first multiple of the step that is not below a number.
func (r numberRange) onStep(n *big.Rat) *big.Rat {
	if !r.stepped {
		return n
	}
	steps := new(big.Rat).Quo(n, r.step)
	whole, rest := new(big.Int).QuoRem(steps.Num(), steps.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return new(big.Rat).Mul(new(big.Rat).SetInt(whole), r.step)
}

// numberOf writes a number as a document has it.
func numberOf(n *big.Rat) (any, bool) {
	if n.IsInt() {
		if n.Num().IsInt64() {
			return n.Num().Int64(), true
		}
		return json.Number(n.Num().String()), n.Num().BitLen() < maxNumberBits
	}
	value, _ := n.Float64()
	return value, true
}

// maxNumberBits of an integer fit into a float64.
const maxNumberBits = 1023

// written encodes an example with its members in the order of the schema: those that are required, and then the others by name.
func (s *Schema) written(value any) (jsontext.Value, bool) {
	work := maxOrderWork
	text, ok := appendOrdered(nil, value, newValuePlace([]*jsonschema.Schema{s.compiled}, &work))
	return text, ok
}

func appendOrdered(to []byte, v any, p *valuePlace) ([]byte, bool) {
	ok := true
	switch v := v.(type) {
	case map[string]any:
		to = append(to, '{')
		names := sortedKeys(v)
		slices.SortStableFunc(names, func(a, b string) int { return p.rank(a) - p.rank(b) })
		for i := 0; i < len(names) && ok; i++ {
			to = appendComma(to, i)
			to, _ = jsontext.AppendQuote(to, names[i])
			to, ok = appendOrdered(append(to, ':'), v[names[i]], p.below(names[i]))
		}
		return append(to, '}'), ok
	case []any:
		to = append(to, '[')
		for i := 0; i < len(v) && ok; i++ {
			to, ok = appendOrdered(appendComma(to, i), v[i], p.below(i))
		}
		return append(to, ']'), ok
	}
	scalar, err := json.Marshal(v)
	if text, isText := v.(string); isText {
		scalar, err = jsontext.AppendQuote(nil, text) // which leaves <, > and & as they are
	}
	return append(to, scalar...), err == nil && len(to)+len(scalar) <= MaxExampleBytes
}

func appendComma(to []byte, i int) []byte {
	if i > 0 {
		return append(to, ',')
	}
	return to
}
