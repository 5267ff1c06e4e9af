package oracle

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// normal gives the operations of an OpenAPI document in a form in which two documents that promise the same are equal:
//
//   - references are replaced by what they refer to; one that leads back into itself says how many levels up;
//   - what only names and describes is left out: title, operationId, tags, description, the mapping of a discriminator;
//   - all of one schema is that schema;
//   - const is an enum of one; nothing is said of type where an enum says more;
//   - what is meant when nothing is said is left out: required: false, a default of null, additionalProperties: true,
//     uniqueItems: false;
//   - required and enum are sets; parameters are a set, by place and name, and headers' names are in lower case.
func normal(doc map[string]any) map[string]any {
	operations := map[string]any{}
	paths, _ := doc["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method, operation := range methods {
			n := normalizer{doc: doc}
			operations[method+" "+path] = n.value(operation)
		}
	}
	return operations
}

type normalizer struct {
	doc   map[string]any
	stack []string // references that are being replaced
}

// names are members that a client does nothing with.
var names = []string{"title", "operationId", "tags", "description"}

// implied are members that mean what is meant without them.
var implied = map[string]any{"required": false, "default": nil, "additionalProperties": true, "uniqueItems": false}

func (n *normalizer) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			return n.reference(ref, v)
		}
		return n.object(v)
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = n.value(v[i])
		}
		return all
	default:
		return v
	}
}

func (n *normalizer) reference(ref string, beside map[string]any) any {
	if i := slices.Index(n.stack, ref); i >= 0 {
		return map[string]any{"$ref": strconv.Itoa(len(n.stack)-i) + " up"}
	}
	n.stack = append(n.stack, ref)
	defer func() { n.stack = n.stack[:len(n.stack)-1] }()
	target, ok := n.value(n.find(ref)).(map[string]any)
	if !ok {
		return map[string]any{"$ref": ref + " leads nowhere"}
	}
	rest := maps.Clone(beside)
	delete(rest, "$ref")
	maps.Copy(target, n.object(rest))
	return target
}

func (n *normalizer) find(ref string) any {
	var at any = n.doc
	for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		object, _ := at.(map[string]any)
		at = object[strings.NewReplacer("~1", "/", "~0", "~", "%24", "$").Replace(step)]
	}
	return at
}

func (n *normalizer) object(v map[string]any) map[string]any {
	all := map[string]any{}
	for name, member := range v {
		if without, ok := implied[name]; ok && member == without || isName(name, member) {
			continue
		}
		switch name {
		case "const":
			all["enum"] = []any{member}
		case "enum", "required":
			all[name] = sorted(member)
		case "parameters":
			all[name] = n.parameters(member)
		case "default", "examples", "example":
			all[name] = member // data, whatever it looks like
		case "properties", "$defs", "responses", "content", "headers":
			all[name] = n.named(member)
		default:
			all[name] = n.value(member)
		}
	}
	if all["enum"] != nil {
		delete(all, "type")
	}
	delete(all, "$defs") // all that was used stands in its place
	if one, ok := all["allOf"].([]any); ok && len(one) == 1 {
		if only, ok := one[0].(map[string]any); ok {
			delete(all, "allOf")
			maps.Copy(all, only)
		}
	}
	return all
}

// isName tells a name from a property that is called like one, whose value is a schema.
func isName(name string, value any) bool {
	if name == "mapping" {
		return true
	}
	switch value.(type) {
	case string, []any:
		return slices.Contains(names, name)
	default:
		return false
	}
}

// named takes an object whose members' names are the author's own.
func (n *normalizer) named(v any) any {
	members, ok := v.(map[string]any)
	if !ok {
		return v
	}
	all := map[string]any{}
	for name, member := range members {
		all[name] = n.value(member)
	}
	return all
}

func sorted(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	return slices.SortedFunc(slices.Values(list), func(a, b any) int { return cmp.Compare(compact(a), compact(b)) })
}

func (n *normalizer) parameters(v any) any {
	list, _ := v.([]any)
	all := map[string]any{}
	for _, item := range list {
		parameter, ok := n.value(item).(map[string]any)
		if !ok {
			continue
		}
		in, _ := parameter["in"].(string)
		name, _ := parameter["name"].(string)
		if in == "header" {
			name = strings.ToLower(name)
		}
		delete(parameter, "in")
		delete(parameter, "name")
		all[in+" "+name] = parameter
	}
	return all
}

// compareDocuments compares what two OpenAPI documents promise.
func compareDocuments(fastapi, gateway map[string]any) []delta {
	c := comparison{request: "openapi"}
	c.values("paths", anyOf(normal(fastapi)), anyOf(normal(gateway)))
	return c.found
}

// anyOf gives the value as JSON has it: numbers of either document are json.Number then.
func anyOf(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	value, err := decode(raw)
	if err != nil {
		return err.Error()
	}
	return value
}
