// Package route finds what serves a request.
package route

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Table maps path templates and methods to what serves them. Build it with Add before it is shared; Match may then be
// called by many goroutines.
//
// A template is text and parameters, segment by segment: /items/{id} serves /items/7. A parameter takes one segment,
// any but the empty one. If both fit, text goes before parameters, from the first segment on, regardless of the order
// in which templates were added (OpenAPI 3.1, Paths Object). Slashes count: /a and /a/ are two paths.
type Table[T any] struct {
	root node[T]
}

// node is what templates with the same beginning share.
type node[T any] struct {
	text  map[string]*node[T]
	param *node[T]
	rest  *T // what stands for the paths below that no template fits; nil for what stands for those above

	template string // that ends here; with its parameters' names in order, and what serves its methods
	names    []string
	methods  map[string]T
}

// Add registers a path template and a method. It failsif the template is malformed, if it has that method
// already, and where another template differs from it in nothing but the names of parameters: OpenAPI takes the two
// for one.
func (t *Table[T]) Add(method, template string, serves T) error {
	segments, names, err := parse(template)
	if err != nil {
		return err
	}
	at := &t.root
	for _, s := range segments {
		at = at.child(s)
	}
	switch _, taken := at.methods[method]; {
	case taken:
		return fmt.Errorf("%s %s: belongs to another route, want another path or method", method, template)
	case at.methods == nil:
		at.template, at.names, at.methods = template, names, map[string]T{}
	case at.template != template:
		return fmt.Errorf("%s: serves the same paths as %s; want the same names for the parameters", template, at.template)
	}
	at.methods[method] = serves
	return nil
}

// AddRest registers what stands for all paths below a prefix that no template fits, such as / or /v1/: Match returns it
// in addition to the problem. Of several prefixes the longest counts. A prefix begins and ends with a slash, and is text.
func (t *Table[T]) AddRest(prefix string, serves T) error {
	below, found := strings.CutSuffix(prefix, "/")
	at := &t.root
	if below != "" {
		segments, names, err := parse(below)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fmt.Errorf("%s: want a prefix without parameters", prefix)
		}
		for _, s := range segments {
			at = at.child(s)
		}
	}
	if !found || at.rest != nil {
		return fmt.Errorf("%q: want a prefix that ends with / and is not in use", prefix)
	}
	at.rest = &serves
	return nil
}

func (n *node[T]) child(s segment) *node[T] {
	if s.param {
		if n.param == nil {
			n.param = &node[T]{}
		}
		return n.param
	}
	if n.text == nil {
		n.text = map[string]*node[T]{}
	}
	if n.text[s.text] == nil {
		n.text[s.text] = &node[T]{}
	}
	return n.text[s.text]
}

// Match finds what serves the request, and the values of the path's parameters by name, nil if it has none. The
// path is the escaped one, as it was sent: a segment is decoded after it was separated from its neighbours, so that
// a%2Fb is one.
//
// Otherwise it returns the problem to answer: 404 for a path that fits no template, or whose escapes are malformed,
// and 405 for one that fits none with the method; it has the methods of all those that fit (RFC 9110, section
// 15.5.6). So a template serves the methods that a better fit lacks, as in Starlette, where a route of another method
// is only a partial match. With a 404 comes what AddRest registered for the path, with a 405 what serves another method
// of the best fit: they know how the clients of such a path expect a problem.
func (t *Table[T]) Match(method, escapedPath string) (T, map[string]string, *problem.Error) {
	m := match[T]{method: method, rest: t.root.rest}
	rest, found := strings.CutPrefix(escapedPath, "/")
	if found && m.find(&t.root, rest, nil) {
		return m.serves, m.params, nil
	}
	if len(m.allowed) == 0 {
		if m.rest != nil {
			m.serves = *m.rest
		}
		return m.serves, nil, problem.New(problem.NotFound)
	}
	return m.serves, nil, problem.NotAllowed(slices.Sorted(maps.Keys(m.allowed)))
}

// match is the search for one request.
type match[T any] struct {
	method  string
	serves  T // until it is found, what serves another method of the best fit
	params  map[string]string
	rest    *T
	allowed map[string]bool // methods of the templates that fit
}

// find looks below n for what serves the rest of a path; values are those of the parameters on the way.
func (m *match[T]) find(n *node[T], rest string, values []string) bool {
	escaped, after, more := strings.Cut(rest, "/")
	if n.rest != nil {
		m.rest = n.rest // only prefixes of text have one, so a later one is of a longer prefix
	}
	segment, err := url.PathUnescape(escaped)
	if err != nil {
		return false
	}
	if next := n.text[segment]; next != nil && m.follow(next, after, more, values) {
		return true
	}
	return n.param != nil && segment != "" && m.follow(n.param, after, more, append(values, segment))
}

func (m *match[T]) follow(n *node[T], after string, more bool, values []string) bool {
	if more {
		return m.find(n, after, values)
	}
	serves, ok := n.methods[m.method]
	if !ok {
		m.allow(n.methods)
		return false
	}
	m.serves = serves
	if len(values) > 0 {
		m.params = make(map[string]string, len(values))
		for i, name := range n.names {
			m.params[name] = values[i]
		}
	}
	return true
}

func (m *match[T]) allow(methods map[string]T) {
	if len(methods) == 0 {
		return
	}
	if m.allowed == nil {
		m.allowed = make(map[string]bool, len(methods))
		m.serves = methods[slices.Min(slices.Collect(maps.Keys(methods)))]
	}
	for method := range methods {
		m.allowed[method] = true
	}
}
