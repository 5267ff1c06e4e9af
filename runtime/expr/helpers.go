package expr

import (
	"context"
	"encoding/base64"
	"html"
	"math"
	"net/url"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/llmservice/llmservice/runtime/schema"
)

// The names by which CEL distinguishes implementations.
const (
	truncateID   = "string_truncate_int"
	jsonID       = "dyn_json"
	parseJSONID  = "string_parse_json"
	urlEncodeID  = "string_url_encode"
	htmlEscapeID = "string_html_escape"
	base64ID     = "string_base64"
	joinID       = "list_dyn_join"
	joinWithID   = "list_dyn_join_string"
)

// These cannot be written in an expression: the checker's mender calls them.
const (
	asDoubleID = "@double"
	asIntID    = "@int"
)

// helpers declares what prompts and requests need and CEL does not have. As its string functions do, each follows the value
// that it works on: `x.truncate(100)`.
func helpers() []cel.EnvOption {
	text := func(name, id string, f func(string) ref.Val) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload(id, []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(onText(f))))
	}
	return []cel.EnvOption{
		text("urlEncode", urlEncodeID, urlEncode),
		text("htmlEscape", htmlEscapeID, func(s string) ref.Val { return bounded(html.EscapeString(s)) }),
		text("base64", base64ID, encodeBase64),
		cel.Function("truncate", cel.MemberOverload(truncateID, []*cel.Type{cel.StringType, cel.IntType}, cel.StringType,
			cel.BinaryBinding(truncate))),
		cel.Function("json", cel.MemberOverload(jsonID, []*cel.Type{cel.DynType}, cel.StringType, cel.UnaryBinding(toJSON))),
		cel.Function("parseJson", cel.MemberOverload(parseJSONID, []*cel.Type{cel.StringType}, cel.DynType,
			cel.UnaryBinding(onText(parseJSON)))),
	}
}

// onText is for functions of a string; CEL lets no other value through to them.
func onText(f func(string) ref.Val) functions.UnaryOp {
	return func(v ref.Val) ref.Val {
		s, ok := v.(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(v)
		}
		return f(string(s))
	}
}

// joinDecl is join for lists of anything; the library's is for lists of strings, and cannot be had without.
func joinDecl() (*decls.FunctionDecl, error) {
	list := types.NewListType(types.DynType)
	return decls.NewFunction("join",
		decls.MemberOverload(joinID, []*types.Type{list}, types.StringType),
		decls.MemberOverload(joinWithID, []*types.Type{list, types.StringType}, types.StringType))
}

// orValueDecl lets orValue replace null, too, if a type says that it may be there.
func orValueDecl(optionals *decls.FunctionDecl) (*decls.FunctionDecl, error) {
	var overloads []decls.FunctionOpt
	for id, scalar := range nullables {
		overloads = append(overloads,
			decls.MemberOverload(id, []*types.Type{types.NewNullableType(scalar), scalar}, scalar))
	}
	nulls, err := decls.NewFunction("orValue", overloads...)
	if err != nil {
		return nil, err
	}
	return optionals.Merge(nulls)
}

// nullables are the types that may be null as well, by the implementation of orValue for them.
var nullables = map[string]*types.Type{
	"nullable_bool_or_value": types.BoolType, "nullable_int_or_value": types.IntType,
	"nullable_double_or_value": types.DoubleType, "nullable_string_or_value": types.StringType,
}

func notNull(v, otherwise ref.Val) ref.Val {
	if v == types.NullValue {
		return otherwise
	}
	return v
}

// ownOverloads are the implementations that cannot be declared together with a function: join's and orValue's, whose names
// are taken, and those that have no name in the language.
func ownOverloads() []*functions.Overload {
	all := []*functions.Overload{
		{Operator: joinID, Unary: func(list ref.Val) ref.Val { return join(list, types.String("")) }},
		{Operator: joinWithID, Binary: join},
		{Operator: asDoubleID, Unary: asDouble},
		{Operator: asIntID, Unary: asInt},
	}
	all = append(all, matchOverloads()...)
	for id := range nullables {
		all = append(all, &functions.Overload{Operator: id, Binary: notNull})
	}
	return all
}

// costs charges our functions for what they read and write, as CEL does for its own.
func costs() []cost.TrackerOption {
	var options []cost.TrackerOption
	for _, id := range []string{truncateID, jsonID, parseJSONID, urlEncodeID, htmlEscapeID, base64ID, joinID, joinWithID} {
		options = append(options, cost.OverloadTracker(id, func(args []ref.Val, result ref.Val) *uint64 {
			total := 1 + weight(result)/bytesPerCost
			for _, arg := range args {
				total += weight(arg) / bytesPerCost
			}
			return &total
		}))
	}
	charged := func(id string, of func(args []ref.Val) uint64) {
		options = append(options, cost.OverloadTracker(id, func(args []ref.Val, _ ref.Val) *uint64 {
			total := of(args)
			return &total
		}))
	}
	charged(matchID, func(args []ref.Val) uint64 { return matchCost(args, false) })
	charged(matchFixedID, func(args []ref.Val) uint64 { return matchCost(args, true) })
	charged(equalID, compareCost)
	charged(unequalID, compareCost)
	return options
}

const bytesPerCost = 10

// weight is the bytes of a string; a container's items are counted where they are turned into one.
func weight(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case traits.Sizer:
		if n, ok := v.Size().(types.Int); ok {
			return uint64(max(n, 0)) * bytesPerCost
		}
	}
	return 0
}

// asDouble gives a number that JSON holds as a whole one for what it is by its type; null may be among such numbers.
func asDouble(v ref.Val) ref.Val {
	if n, ok := v.(types.Int); ok {
		return types.Double(n)
	}
	return v
}

// asInt does likewise for a whole number that was written with a fraction or an exponent.
func asInt(v ref.Val) ref.Val {
	if f, ok := v.(types.Double); ok && float64(f) == math.Trunc(float64(f)) {
		return f.ConvertToType(types.IntType)
	}
	return v
}

func fail(reason refusal) ref.Val { return types.WrapErr(reason) }

// truncate keeps at most that many characters, and adds nothing.
func truncate(text, most ref.Val) ref.Val {
	s, isText := text.(types.String)
	n, isNumber := most.(types.Int)
	if !isText || !isNumber {
		return types.MaybeNoSuchOverloadErr(text)
	}
	if n < 0 {
		return fail("truncates to a negative number of characters")
	}
	if len(s) <= int(n) {
		return text
	}
	end := 0
	for ; n > 0 && end < len(s); n-- {
		_, size := utf8.DecodeRuneInString(string(s[end:]))
		end += size
	}
	return s[:end]
}

// toJSON gives compact JSON, as text does of what is not a string.
func toJSON(v ref.Val) ref.Val {
	r := &run{out: MaxOutput}
	value, err := r.plain(v)
	if err != nil {
		return types.WrapErr(err)
	}
	text, err := appendJSON(nil, value)
	if err != nil {
		return types.WrapErr(err)
	}
	return bounded(string(text))
}

// parseJSON reads JSON within the limits of a request body.
func parseJSON(text string) ref.Val {
	// Its cost has been charged, and it takes turns with others.
	value, violations, err := schema.Decode(context.Background(), []byte(text))
	if len(violations) > 0 || err != nil {
		return fail("parses text that is not JSON")
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

// urlEncode escapes all but RFC 3986's unreserved characters, spaces as %20, as every reader of a query understands.
func urlEncode(s string) ref.Val {
	return bounded(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"))
}

// encodeBase64 is RFC 4648's standard alphabet, padded.
func encodeBase64(s string) ref.Val {
	if base64.StdEncoding.EncodedLen(len(s)) > MaxOutput {
		return fail(errOutput)
	}
	return types.String(base64.StdEncoding.EncodeToString([]byte(s)))
}

func bounded(s string) ref.Val {
	if len(s) > MaxOutput {
		return fail(errOutput)
	}
	return types.String(s)
}

// join puts a list's items into one text: strings as they are, others as compact JSON; null is an error, as it is in text.
func join(list, separator ref.Val) ref.Val {
	items, ok := list.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(list)
	}
	between, ok := separator.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(separator)
	}
	r := &run{out: MaxOutput}
	var b strings.Builder
	for it, first := items.Iterator(), true; it.HasNext() == types.True; first = false {
		if !first {
			b.WriteString(string(between))
		}
		text, err := r.item(it.Next())
		if err == nil {
			err = r.spend(1 + len(between)) // also for items that are empty, so that the loop has an end
		}
		if err != nil {
			return types.WrapErr(err)
		}
		b.WriteString(text)
	}
	return bounded(b.String())
}
