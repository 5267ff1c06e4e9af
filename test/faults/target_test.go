package faults

import (
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// target is what a request is about.
type target struct {
	// kind is that of the object, or the plural of one that the operator owns none of; empty for discovery.
	kind string
	// name is empty for a list, a watch and a creation.
	name        string
	subresource string
}

// childrenHere are the kinds of children that the API server of these tests has: none of those that a cluster may lack.
func childrenHere() render.Table {
	return slices.DeleteFunc(render.Kinds(), func(k render.Kind) bool { return k.Optional })
}

// kinds are those that the operator watches, by their plurals.
var kinds = func() map[string]string {
	all := map[string]string{"llmservices": v1alpha1.Kind, "pods": "Pod"}
	for _, kind := range childrenHere() {
		plural, _ := meta.UnsafeGuessKindToResource(kind.GroupVersionKind)
		all[plural.Resource] = kind.Kind
	}
	return all
}()

// childKinds are those that a service has, in the order in which they are written.
var childKinds = func() (kinds []string) {
	for _, kind := range childrenHere() {
		kinds = append(kinds, kind.Kind)
	}
	return kinds
}()

func (t target) watched() bool {
	return slices.Contains(childKinds, t.kind) || t.kind == "LLMService" || t.kind == "Pod"
}

func (t target) child() bool { return slices.Contains(childKinds, t.kind) }

// split cuts the path of an API request into what stands before the namespace and what stands after it.
func split(path string) (prefix string, rest []string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	head := 3 // apis/GROUP/VERSION
	if parts[0] == "api" {
		head = 2
	}
	if len(parts) <= head {
		return path, nil
	}
	prefix, rest = "/"+strings.Join(parts[:head], "/"), parts[head:]
	if rest[0] == "namespaces" && len(rest) > 2 {
		rest = rest[2:]
	}
	return prefix, rest
}

func targetOf(sent *http.Request) target {
	_, rest := split(sent.URL.Path)
	if len(rest) == 0 {
		return target{}
	}
	result := target{kind: rest[0]}
	if kind, ok := kinds[rest[0]]; ok {
		result.kind = kind
	}
	if len(rest) > 1 {
		result.name = rest[1]
	}
	if len(rest) > 2 {
		result.subresource = rest[2]
	}
	return result
}

// scoped narrows lists and watches to one namespace, so that the operators of many runs share an API server and see
// nothing of each other.
func scoped(sent *http.Request, namespace string) *http.Request {
	prefix, rest := split(sent.URL.Path)
	if sent.Method != http.MethodGet || len(rest) != 1 || kinds[rest[0]] == "" || strings.Contains(sent.URL.Path, "/namespaces/") {
		return sent
	}
	sent = sent.Clone(sent.Context())
	sent.URL.Path = prefix + "/namespaces/" + namespace + "/" + rest[0]
	return sent
}
