package schema

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Outline says where the schemas are in the JSON text of a schema, and where references lead. Every walk over such a text
// goes by it, so that none takes for a schema what is only data: a default, an example, or a property that is called like a
// keyword.
type Outline struct {
	root    any
	sites   map[string]*site
	places  map[string]string // pointers of what can be referred to by its address: resources and anchors
	dynamic map[string]int    // how often each dynamic anchor stands
	todo    []string          // pointers of the schemas whose references are still to be followed
}

// site is a schema that is an object.
type site struct {
	schema map[string]any
	base   *url.URL // what its references are relative to (RFC 3986, section 5.1)
}

// Outline reads the schema's text again: it takes memory that only code that rewrites the text needs.
func (s *Schema) Outline() *Outline {
	doc, _ := decode(nil, s.raw, schemaLimits) // it could be read when it was compiled
	return outline(doc.value)
}

func outline(root any) *Outline {
	o := &Outline{root: root, sites: map[string]*site{}, places: map[string]string{base: ""}, dynamic: map[string]int{}}
	o.add("", root, &url.URL{Scheme: "schema", Host: "route", Path: "/"})
	for len(o.todo) > 0 { // places that only references make schemas, and what those lead to
		next := o.todo[0]
		o.todo = o.todo[1:]
		o.follow(next)
	}
	return o
}

// add takes a schema, with all that it holds.
func (o *Outline) add(pointer string, v any, outer *url.URL) {
	schema, ok := v.(map[string]any)
	if !ok || o.sites[pointer] != nil {
		return
	}
	s := &site{schema: schema, base: outer}
	o.sites[pointer] = s
	o.todo = append(o.todo, pointer)
	o.name(pointer, s)
	for _, keyword := range sortedKeys(schema) {
		o.within(pointer+"/"+escape(keyword), Holding(keyword), schema[keyword], s.base)
	}
}

func (o *Outline) within(at string, holds Holds, value any, base *url.URL) {
	list, _ := value.([]any)
	named, _ := value.(map[string]any)
	switch holds {
	case HoldsSchema:
		o.add(at, value, base)
	case HoldsList:
		for i, item := range list {
			o.add(at+"/"+strconv.Itoa(i), item, base)
		}
	case HoldsNamed:
		for _, name := range sortedKeys(named) {
			o.add(at+"/"+escape(name), named[name], base)
		}
	case HoldsNothing, HoldsData:
	}
}

// name notes the addresses of a schema.
func (o *Outline) name(pointer string, s *site) {
	if id, ok := s.schema["$id"].(string); ok {
		if own, err := s.base.Parse(id); err == nil {
			own.Fragment, own.RawFragment = "", ""
			s.base = own
			o.places[own.String()] = pointer
		}
	}
	for _, keyword := range []string{"$anchor", "$dynamicAnchor"} {
		if name, ok := s.schema[keyword].(string); ok {
			o.places[s.base.String()+"#"+name] = pointer
		}
	}
	if name, ok := s.schema["$dynamicAnchor"].(string); ok {
		o.dynamic[name]++
	}
}

// follow adds what the references of a schema lead to, if that is not a schema yet.
func (o *Outline) follow(pointer string) {
	for _, keyword := range references {
		ref, isText := o.sites[pointer].schema[keyword].(string)
		target, ok := o.Resolve(pointer, ref)
		if !isText || !ok || o.sites[target] != nil || o.isData(target) {
			continue
		}
		if v, ok := lookUpPointer(o.root, target); ok {
			o.add(target, v, o.around(target).base)
		}
	}
}

// references are the keywords whose values lead to schemas.
var references = []string{"$ref", "$dynamicRef"}

// around gives the innermost schema that a place stands in.
func (o *Outline) around(pointer string) *site {
	for pointer != "" {
		pointer = pointer[:strings.LastIndexByte(pointer, '/')]
		if s := o.sites[pointer]; s != nil {
			return s
		}
	}
	return o.sites[""]
}

// isData reports whether a place lies in the value of a keyword that holds data.
func (o *Outline) isData(pointer string) bool {
	for at := pointer; at != ""; {
		i := strings.LastIndexByte(at, '/')
		if o.sites[at[:i]] != nil {
			return Holding(unescape(at[i+1:])) == HoldsData
		}
		at = at[:i]
	}
	return false
}

// Schemas lists the pointers (RFC 6901) of all schemas that are objects, in their order.
func (o *Outline) Schemas() []string { return sortedKeys(o.sites) }

// IsSchema reports whether a schema that is an object stands at a pointer.
func (o *Outline) IsSchema(pointer string) bool { return o.sites[pointer] != nil }

// HasWithin reports whether a schema stands at a pointer or anywhere below it.
func (o *Outline) HasWithin(pointer string) bool {
	for at := range o.sites {
		if at == pointer || strings.HasPrefix(at, pointer+"/") {
			return true
		}
	}
	return false
}

// Resolve gives the pointer to which a reference in the schema at another one leads. It is not ok for what stands in no
// part of this document; whether there is anything at a pointer, it does not say.
func (o *Outline) Resolve(pointer, ref string) (target string, ok bool) {
	s := o.sites[pointer]
	if s == nil {
		return "", false
	}
	address, err := s.base.Parse(ref)
	if err != nil {
		return "", false
	}
	resource := *address
	resource.Fragment, resource.RawFragment = "", ""
	if f := address.Fragment; f != "" && f[0] != '/' {
		target, ok = o.places[resource.String()+"#"+f]
		return target, ok
	}
	target, ok = o.places[resource.String()]
	return target + address.Fragment, ok
}

// Exists reports whether there is anything at a pointer.
func (o *Outline) Exists(pointer string) bool {
	_, ok := lookUpPointer(o.root, pointer)
	return ok
}

// IsAmbiguous reports whether a dynamic reference has a choice of anchors.
func (o *Outline) IsAmbiguous(ref string) bool {
	_, anchor, _ := strings.Cut(ref, "#")
	return o.dynamic[anchor] > 1
}

func lookUpPointer(v any, pointer string) (any, bool) {
	for token := range jsontext.Pointer(pointer).Tokens() {
		switch at := v.(type) {
		case map[string]any:
			member, ok := at[token]
			if !ok {
				return nil, false
			}
			v = member
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// unescape reads one step of a JSON pointer.
func unescape(step string) string {
	return strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
}
