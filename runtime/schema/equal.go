package schema

import (
	"encoding/json"
	"hash/maphash"
	"math"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// numeral is a number such that two are equal if and only if the numbers are: an integer of 64 bits, else the digits of a
// decimal without zeros at either end, and its exponent.
type numeral struct {
	integer  int64
	digits   string
	exponent int
}

// exactFloats are integers below this size, each of which has its own float64.
const exactFloats = 1 << 53

// numeralOf takes a float64 for the shortest decimal that stands for it, as JSON would write it.
func numeralOf(v any) (numeral, bool) {
	switch v := v.(type) {
	case int64:
		return numeral{integer: v}, true
	case int:
		return numeral{integer: int64(v)}, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < exactFloats {
			return numeral{integer: int64(v)}, true
		}
		return decimalOf(strconv.FormatFloat(v, 'e', -1, 64)), true
	case uint64:
		return decimalOf(strconv.FormatUint(v, 10)), true
	case json.Number:
		return decimalOf(string(v)), true
	}
	return numeral{}, false
}

// decimalOf reads a number in JSON's grammar, whose exponent is bounded.
func decimalOf(text string) numeral {
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa = text[:i]
		exponent, _ = strconv.Atoi(text[i+1:])
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent -= len(fraction)
	short := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(short)
	if short == "" {
		return numeral{}
	}
	if negative {
		short = "-" + short
	}
	const most = 19 // digits of an integer of 64 bits
	if exponent >= 0 && exponent <= most {
		if n, err := strconv.ParseInt(short+strings.Repeat("0", exponent), 10, 64); err == nil {
			return numeral{integer: n}
		}
	}
	return numeral{digits: short, exponent: exponent}
}

// equal compares values as JSON Schema does (Core, section 4.2.2): 1 and 1.0 are one number.
func (w *WorkBudget) equal(a, b any) bool {
	if !w.step(1) {
		return false
	}
	if w.partial && (w.isUnknown(a) || w.isUnknown(b)) {
		return true
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case string:
		b, ok := b.(string)
		return ok && len(a) == len(b) && w.step(len(a)/bytesPerStep) && a == b
	case []any:
		b, ok := b.([]any)
		return ok && w.equalLists(a, b)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && w.equalObjects(a, b)
	}
	one, _ := numeralOf(a)
	other, isNumber := numeralOf(b)
	return isNumber && one == other
}

// bytesPerStep of a text are read in about the time of a step.
const bytesPerStep = 256

func (w *WorkBudget) equalLists(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !w.equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (w *WorkBudget) equalObjects(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		other, ok := b[name]
		if !ok || !w.equal(v, other) {
			return false
		}
	}
	return true
}

// seed makes hashes unpredictable, so that clients cannot send values whose hashes are equal.
var seed = maphash.MakeSeed()

// hash is equal for equal values. It is of use only while the work goes on.
func (w *WorkBudget) hash(v any) uint64 {
	if !w.step(1) || w.isUnknown(v) {
		return 0
	}
	switch v := v.(type) {
	case nil, bool:
		return maphash.Comparable(seed, v)
	case string:
		w.step(len(v) / bytesPerStep)
		return maphash.String(seed, v)
	case []any:
		h := uint64(len(v))
		for _, item := range v {
			h = maphash.Comparable(seed, [2]uint64{h, w.hash(item)})
		}
		return h
	case map[string]any:
		var sum uint64 // in any order
		for name, member := range v {
			sum += maphash.Comparable(seed, [2]uint64{maphash.String(seed, name), w.hash(member)})
		}
		return maphash.Comparable(seed, [3]uint64{sum, uint64(len(v))})
	}
	n, _ := numeralOf(v)
	return maphash.Comparable(seed, n)
}

// fewItems are compared each with each.
const fewItems = 8

// duplicates gives the positions of the first item that was there before, and of the item that it repeats.
func (w *WorkBudget) duplicates(list []any) (first, second int, found bool) {
	if len(list) <= fewItems {
		for j := range list {
			for i := range j {
				if w.equal(list[i], list[j]) {
					return i, j, true
				}
			}
		}
		return 0, 0, false
	}
	known := map[uint64]int32{}       // positions, by hash; at most MaxBodyNodes
	colliding := map[uint64][]int32{} // those of other values with the same hash, of which there are none
	for j, item := range list {
		if w.err != nil {
			return 0, 0, false
		}
		h := w.hash(item)
		i, taken := known[h]
		if !taken {
			known[h] = int32(j)
			continue
		}
		for _, i := range append([]int32{i}, colliding[h]...) {
			if w.equal(list[i], item) {
				return int(i), j, true
			}
		}
		colliding[h] = append(colliding[h], int32(j))
	}
	return 0, 0, false
}

// values are those of an enum or const, for looking up what is a text or a number.
type values struct {
	texts   map[string]bool
	numbers map[numeral]bool
	others  []any
}

func newValues(s *jsonschema.Schema) *values {
	if s.Enum == nil {
		return nil
	}
	all := values{texts: map[string]bool{}, numbers: map[numeral]bool{}}
	for _, v := range s.Enum.Values {
		n, isNumber := numeralOf(v)
		text, isText := v.(string)
		switch {
		case isText:
			all.texts[text] = true
		case isNumber:
			all.numbers[n] = true
		default:
			all.others = append(all.others, v)
		}
	}
	return &all
}

func (all *values) has(w *WorkBudget, v any) bool {
	if text, isText := v.(string); isText {
		return all.texts[text]
	}
	if n, isNumber := numeralOf(v); isNumber {
		return all.numbers[n]
	}
	for _, other := range all.others {
		if w.equal(other, v) {
			return true
		}
	}
	return false
}
