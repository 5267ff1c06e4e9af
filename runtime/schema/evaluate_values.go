package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/llmservice/llmservice/runtime/pattern"
)

// value checks the value itself. Only the first violation is reported.
func (a *application) value(v any) {
	r := a.rule
	switch {
	case r.types != 0 && !r.types.has(v):
		if a.fails() {
			a.add(&kind.Type{Got: typeOf(v), Want: r.Types.ToStrings()})
		}
	case r.Const != nil && !a.work.equal(*r.Const, v):
		if a.fails() {
			a.add(&kind.Const{Got: v, Want: *r.Const})
		}
	case r.enum != nil && !r.enum.has(a.work, v):
		if a.fails() {
			a.add(&kind.Enum{Got: v, Want: r.Enum.Values})
		}
	case r.Format != nil:
		if text, isText := v.(string); isText {
			a.format(text)
		}
	}
}

// format holds a text against a format, which takes time that is linear in the text.
func (a *application) format(text string) {
	f := a.rule.Format
	if f.Name == "regex" && a.work.spend(regexCost*(len(text)/8+pattern.Weight(text))) != nil {
		a.stopHere()
		return
	}
	a.work.step(len(text) / bytesPerStep)
	if longest, ok := longestOf[f.Name]; ok && len(text) > longest {
		if a.fails() {
			a.add(&kind.Format{Got: text, Want: f.Name, Err: errFormat})
		}
		return
	}
	if err := f.Validate(text); err != nil && a.fails() {
		a.add(&kind.Format{Got: text, Want: f.Name, Err: err})
	}
}

// number holds a number against the schema's bounds, as the decimals that they are.
func (a *application) number(v any) {
	r := a.rule
	if r.Minimum != nil && compareTo(v, r.Minimum) < 0 && a.fails() {
		a.add(&kind.Minimum{Want: r.Minimum})
	}
	if r.Maximum != nil && compareTo(v, r.Maximum) > 0 && a.fails() {
		a.add(&kind.Maximum{Want: r.Maximum})
	}
	if r.ExclusiveMinimum != nil && compareTo(v, r.ExclusiveMinimum) <= 0 && a.fails() {
		a.add(&kind.ExclusiveMinimum{Want: r.ExclusiveMinimum})
	}
	if r.ExclusiveMaximum != nil && compareTo(v, r.ExclusiveMaximum) >= 0 && a.fails() {
		a.add(&kind.ExclusiveMaximum{Want: r.ExclusiveMaximum})
	}
	if r.MultipleOf != nil && a.work.step(fractionCost) && !isMultiple(v, r.MultipleOf) && a.fails() {
		a.add(&kind.MultipleOf{Want: r.MultipleOf})
	}
}

// fractionCost is what arithmetic with fractions takes, in steps.
const fractionCost = 8

// compareTo gives the sign of a number less a bound.
func compareTo(v any, bound *big.Rat) int {
	switch v := v.(type) {
	case int64:
		if bound.IsInt() && bound.Num().IsInt64() {
			return compareInts(v, bound.Num().Int64())
		}
	case float64: // two floats are in the order of the decimals nearest to which they are
		if f, _ := bound.Float64(); v != f {
			if v < f {
				return -1
			}
			return 1
		}
	}
	return fraction(v).Cmp(bound)
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func isMultiple(v any, of *big.Rat) bool {
	if n, ok := v.(int64); ok && of.IsInt() && of.Num().IsInt64() {
		return n%of.Num().Int64() == 0
	}
	return new(big.Rat).Quo(fraction(v), of).IsInt()
}

// fraction gives a number as the decimal that stands for it.
func fraction(v any) *big.Rat {
	f, ok := new(big.Rat).SetString(fmt.Sprint(v))
	if !ok {
		return new(big.Rat) // a value is made of numbers that can be read
	}
	return f
}

// typeSet is types of values.
type typeSet uint8

const (
	aNull typeSet = 1 << iota
	aBoolean
	aString
	anArray
	anObject
	anInteger
	aNumber
)

var typeSets = map[string]typeSet{
	"null": aNull, "boolean": aBoolean, "string": aString, "array": anArray, "object": anObject,
	"integer": anInteger, "number": aNumber,
}

// has reports whether a value is of one of the types. A number without a fraction is an integer, however it is written.
func (k typeSet) has(v any) bool {
	switch v := v.(type) {
	case nil:
		return k&aNull != 0
	case bool:
		return k&aBoolean != 0
	case string:
		return k&aString != 0
	case []any:
		return k&anArray != 0
	case map[string]any:
		return k&anObject != 0
	default:
		return k&aNumber != 0 || k&anInteger != 0 && isInteger(v)
	}
}

func isInteger(v any) bool {
	switch v := v.(type) {
	case float64:
		return v == math.Trunc(v)
	case json.Number:
		return !strings.ContainsAny(string(v), ".eE") || fraction(v).IsInt()
	}
	return true
}

// text matches no pattern against a text that is too long.
func (a *application) text(text string) {
	r := a.rule
	if r.MinLength != nil && a.shorter(text, *r.MinLength) && a.fails() {
		a.add(&kind.MinLength{Got: utf8.RuneCountInString(text), Want: *r.MinLength})
	}
	if r.MaxLength != nil && !a.shorter(text, *r.MaxLength+1) {
		if a.fails() {
			a.add(&kind.MaxLength{Got: utf8.RuneCountInString(text), Want: *r.MaxLength})
		}
		return
	}
	if r.pattern != nil && !a.done() && !a.match(r.pattern, text) && a.fails() {
		a.add(&kind.Pattern{Got: text, Want: r.pattern.String()})
	}
}

// shorter reports whether a text has fewer than n characters, and counts them only where its bytes do not say it.
func (a *application) shorter(text string, n int) bool {
	switch {
	case len(text) < n:
		return true
	case len(text) >= n*utf8.UTFMax:
		return false
	}
	a.work.step(len(text) / bytesPerStep)
	return utf8.RuneCountInString(text) < n
}

func (a *application) match(p *pattern.Pattern, text string) bool {
	ok := a.work.match(p, text)
	if a.work.err != nil {
		a.stopHere()
	}
	return ok || a.work.err != nil
}

// stopHere remembers where a pattern took too much work.
func (a *application) stopHere() {
	if a.stop == nil {
		a.stop = slices.Clone(a.path)
	}
}
