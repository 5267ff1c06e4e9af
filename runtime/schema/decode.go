package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/rawjson"
)

// A number may have this many characters and an exponent of this size. Exact arithmetic, as multipleOf needs, takes
// seconds for numbers like 1e999999; float64 ends at 1e308.
const (
	maxNumberBytes = 128
	maxExponent    = 400
)

// exactDigits is how many significant decimal digits survive the way to float64 and back.
const exactDigits = 15

type limits struct{ depth, nodes, keys int }

// document is a decoded JSON text and how much there is of it.
type document struct {
	value any
	depth int // levels of arrays and objects
	nodes int // values, at every level
	bytes int
	rough bool // holds json.Number if neither int64 nor float64 is exact

	repeats repeats // of items that have been dropped
	changed bool    // by defaults, or by what a set has twice
}

// settled gives the value with every number as int64 or float64.
func (d *document) settled() any {
	if !d.rough {
		return d.value
	}
	return settle(d.value)
}

// settle copies, since a value may be somebody else's.
func settle(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = settle(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = settle(item)
		}
		return out
	case int:
		return int64(v)
	case uint64:
		return settleNumber(strconv.AppendUint(nil, v, 10))
	case json.Number:
		return settleNumber([]byte(v))
	}
	return v
}

func settleNumber(text []byte) any {
	n, _ := number(text) // which has been in range before
	if rough, ok := n.(json.Number); ok {
		f, _ := rough.Float64()
		return f
	}
	return n
}

// fault is why a text is not acceptable JSON.
type fault struct {
	offset  int64 // in bytes
	pointer string
	reason  string
	grammar bool // it is not a JSON text at all
}

// inPython returns the place of the fault, in characters, and its name: Python's for a text that is not JSON, and our own for
// what Python accepts. Only the first fault counts, so that the text up to it is within the limits.
func (f *fault) inPython(text []byte) (position int, reason string) {
	if f.grammar {
		if position, reason = syntaxError(text); reason != "" {
			return position, reason
		}
	}
	return utf8.RuneCount(text[:min(int(f.offset), len(text))]), f.reason
}

// refusal is a fault in what JSON's grammar lets pass, in the words of a violation's ctx.
type refusal string

func (r refusal) Error() string { return string(r) }

func tooLong(limit int) error      { return refusal(fmt.Sprintf("More than %d bytes", limit)) }
func tooDeep(limit int) error      { return refusal(fmt.Sprintf("More than %d levels deep", limit)) }
func tooManyNodes(limit int) error { return refusal(fmt.Sprintf("More than %d values", limit)) }
func tooManyKeys(limit int) error {
	return refusal(fmt.Sprintf("More than %d members in an object", limit))
}

// decoder builds values in one pass over the text, counting as it goes.
type decoder struct {
	text   []byte
	names  keptNames
	limits limits
	doc    document
	place  int // where a limit was passed, or the value ends
	// lenient reads what upstreams say, and any number.
	lenient bool
	// work is nil if no caller waits for the end, and own if nothing else is done with the text.
	work *WorkBudget
	own  WorkBudget
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// decode looks at the work's context as it goes, if there is one.
func decode(w *WorkBudget, text []byte, l limits) (document, *fault) {
	d := decoderOf(text, l)
	defer d.free()
	d.work = w
	return d.document()
}

func decoderOf(text []byte, l limits) *decoder {
	d := decoders.Get().(*decoder) //nolint:forcetypeassert // the pool holds nothing else
	d.text, d.limits, d.doc = text, l, document{bytes: len(text)}
	return d
}

// free keeps the decoder for others; a pooled decoder keeps no body alive, but for some short names.
func (d *decoder) free() {
	d.text, d.doc, d.place, d.lenient, d.work, d.own = nil, document{}, 0, false, nil, WorkBudget{}
	decoders.Put(d)
}

func (d *decoder) document() (document, *fault) {
	read := rawjson.Read
	if d.lenient {
		read = rawjson.ReadSaid
	}
	if err := read(d.text, d.whole); err != nil {
		return document{}, d.fault(err)
	}
	return d.doc, nil
}

func (d *decoder) whole(in *rawjson.Descent) {
	if d.doc.value = d.value(in); d.place == 0 {
		d.place = in.At()
	}
}

// refuse ends the reading at a limit, which was passed at a place.
func (d *decoder) refuse(in *rawjson.Descent, place int, err error) {
	d.place = place
	in.Refuse(err)
}

func (d *decoder) value(in *rawjson.Descent) any {
	d.doc.nodes++
	switch {
	case d.doc.nodes > d.limits.nodes:
		d.refuse(in, in.At(), tooManyNodes(d.limits.nodes))
		return nil
	case d.work != nil && !d.work.rest():
		d.refuse(in, in.At(), d.work.err)
		return nil
	}
	switch kind := in.Kind(); kind {
	case '{':
		return d.object(in)
	case '[':
		return d.array(in)
	case '0':
		n, err := d.number(in.Value().Of(d.text))
		if err != nil {
			d.refuse(in, in.At(), err)
		}
		return n
	case '"':
		return in.Text()
	default:
		in.Value()
		if kind == 't' || kind == 'f' {
			return kind == 't'
		}
		return nil
	}
}

// open counts the object or array that follows.
func (d *decoder) open(in *rawjson.Descent) bool {
	depth := in.Depth() + 1
	if depth > d.limits.depth {
		d.refuse(in, in.At()+1, tooDeep(d.limits.depth))
		return false
	}
	d.doc.depth = max(d.doc.depth, depth)
	return true
}

func (d *decoder) object(in *rawjson.Descent) any {
	if !d.open(in) {
		return nil
	}
	object := map[string]any{}
	in.Members(func([]byte) {
		if len(object) == d.limits.keys {
			d.refuse(in, in.At(), tooManyKeys(d.limits.keys))
			return
		}
		name := d.names.of(in.Name())
		object[name] = d.value(in)
	})
	return object
}

func (d *decoder) array(in *rawjson.Descent) any {
	if !d.open(in) {
		return nil
	}
	array := []any{}
	in.Elements(func(int) { array = append(array, d.value(in)) })
	return array
}

const errRange = refusal("Number out of range")

// number keeps count of what is not exact.
func (d *decoder) number(text []byte) (any, error) {
	if d.lenient {
		return nearest(text)
	}
	n, err := number(text)
	if _, isRough := n.(json.Number); isRough {
		d.doc.rough = true
	}
	return n, err
}

// number gives int64 or float64 where that loses nothing, else json.Number, on which the schema is checked exactly.
func number(text []byte) (any, error) {
	if len(text) > maxNumberBytes {
		return nil, errRange
	}
	if !bytes.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return n, nil
		}
	}
	mantissa := text
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		mantissa = text[:e]
		exponent, err := strconv.Atoi(string(text[e+1:]))
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return nil, errRange
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, errRange
	}
	if significant(mantissa) <= exactDigits && (f != 0 || significant(mantissa) == 0) {
		return f, nil
	}
	return json.Number(text), nil
}

// significant counts the digits of a mantissa from the first that is not zero.
func significant(mantissa []byte) int {
	n := 0
	for _, c := range mantissa {
		if c >= '1' && c <= '9' || c == '0' && n > 0 {
			n++
		}
	}
	return n
}

// fault puts an error into words that quote nothing of the text.
func (d *decoder) fault(err error) *fault {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		reason, grammar := syntaxReason(e.Err)
		return &fault{offset: e.ByteOffset, pointer: string(e.JSONPointer), reason: reason, grammar: grammar}
	}
	switch {
	case d.work != nil && d.work.err != nil: // nobody asks where
		return &fault{reason: err.Error()}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &fault{offset: int64(d.place), reason: "Unexpected end of JSON", grammar: true}
	case errors.Is(err, rawjson.ErrExtra):
		return &fault{offset: int64(d.place), reason: "Extra data", grammar: true}
	}
	end, pointer := rawjson.Place(d.text, d.place)
	return &fault{offset: int64(end), pointer: pointer, reason: err.Error()}
}

func syntaxReason(err error) (reason string, grammar bool) {
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "Duplicate name in object", false
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "Unexpected end of JSON", true
	case strings.Contains(err.Error(), "UTF-8"), strings.Contains(err.Error(), "surrogate"):
		return "Invalid UTF-8", false
	default:
		return "Invalid syntax", true
	}
}
