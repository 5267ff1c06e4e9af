package docs_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	linkedVariable = regexp.MustCompile(`-X github\.com/llmservice/llmservice/(\S+)\.(\w+)=\$VERSION`)
	baseImage      = regexp.MustCompile(`FROM --platform=\$BUILDPLATFORM golang:(\S+) AS build`)
	toolchain      = regexp.MustCompile(`(?m)^toolchain go(\S+)$`)
)

// TestDockerfileStampsAVersion: the linker ignores a variable that it does not find, so a renamed one would leave the gateway without a version.
func TestDockerfileStampsAVersion(t *testing.T) {
	m := linkedVariable.FindStringSubmatch(read(t, "cmd/gateway/Dockerfile"))
	if m == nil {
		t.Fatal("cmd/gateway/Dockerfile gives the linker no $VERSION")
	}
	for _, file := range parsed(t, m[1], false) {
		if slices.ContainsFunc(file.Decls, func(d ast.Decl) bool { return declaresText(d, m[2]) }) {
			return
		}
	}
	t.Errorf("cmd/gateway/Dockerfile sets %s.%s, which is not a variable of the type string without a value", m[1], m[2])
}

// declaresText reports whether d is `var name string`: the linker sets no other variable.
func declaresText(d ast.Decl, name string) bool {
	declaration, ok := d.(*ast.GenDecl)
	if !ok {
		return false
	}
	return slices.ContainsFunc(declaration.Specs, func(s ast.Spec) bool {
		value, ok := s.(*ast.ValueSpec)
		if !ok || len(value.Names) != 1 || value.Names[0].Name != name || len(value.Values) != 0 {
			return false
		}
		kind, ok := value.Type.(*ast.Ident)
		return ok && kind.Name == "string"
	})
}

// TestDockerfilesBuildWithThePinnedGo: their base image has that Go, and fetches no other.
func TestDockerfilesBuildWithThePinnedGo(t *testing.T) {
	pinned := toolchain.FindStringSubmatch(read(t, "go.mod"))
	if pinned == nil {
		t.Fatal("go.mod pins no toolchain")
	}
	for _, name := range []string{"gateway", "manager"} {
		m := baseImage.FindStringSubmatch(read(t, "cmd/"+name+"/Dockerfile"))
		if m == nil || m[1] != pinned[1] {
			t.Errorf("cmd/%s/Dockerfile builds with %s, go.mod wants go%s", name, strings.Join(m, ", "), pinned[1])
		}
	}
}
