// Package route finds what serves a request.
package route

import (
	"maps"
	"slices"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Table maps paths and methods to what serves them. Build it with Add before it is shared; Match may then be
// called by many goroutines.
type Table[T any] struct {
	byPath map[string]map[string]T
}

// Add registers a path and method; it returns false where they are taken.
func (t *Table[T]) Add(method, path string, serves T) bool {
	if t.byPath == nil {
		t.byPath = map[string]map[string]T{}
	}
	methods := t.byPath[path]
	if methods == nil {
		methods = map[string]T{}
		t.byPath[path] = methods
	}
	if _, taken := methods[method]; taken {
		return false
	}
	methods[method] = serves
	return true
}

// Match finds what serves the request, or the problem to answer: 404 for an unknown path, 405 with the methods
// that it has for a known one (RFC 9110, section 15.5.6).
func (t *Table[T]) Match(method, path string) (T, *problem.Error) {
	var none T
	methods, ok := t.byPath[path]
	if !ok {
		return none, problem.New(problem.NotFound)
	}
	serves, ok := methods[method]
	if !ok {
		return none, problem.NotAllowed(slices.Sorted(maps.Keys(methods)))
	}
	return serves, nil
}
