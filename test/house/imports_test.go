package house_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/llmservice/llmservice/"

// reach is what a package may not depend on, however many imports lie between. The linter's depguard rules
// cover direct imports and say so in an editor; these hold for the whole program.
var reach = []struct {
	from   string
	never  []string
	except []string
	why    string
}{
	{
		from:  "./cmd/gateway",
		never: []string{"k8s.io/", "sigs.k8s.io/", module + "api/", module + "controllers"},
		why:   "the gateway runs anywhere: it knows the config contract, not Kubernetes",
	},
	{
		from:  "./runtime/...",
		never: []string{"k8s.io/", "sigs.k8s.io/", module + "api/", module + "controllers", module + "cmd/"},
		why:   "operator code enters runtime/ through runtime/config, and what is below it, alone",
	},
	{
		from: "./runtime/config/...",
		never: []string{
			module + "runtime/flow", module + "runtime/gateway", module + "runtime/relay", module + "runtime/engine", module + "runtime/upstream",
		},
		why: "a config is compiled by the operator, too, which runs nothing of it",
	},
	{
		from:   "./api/...",
		never:  []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime", module},
		except: []string{module + "api/"},
		why:    "clients of the API import its types; they should not get an operator with them",
	},
	{
		// Apply configurations are data, but reach client-go's discovery: the linter alone knows them apart.
		from:  "./controllers/render/...",
		never: []string{"sigs.k8s.io/controller-runtime", module + "runtime/gateway"},
		why:   "render is a pure function from spec to child objects",
	},
	{
		from:  "./cmd/manager",
		never: []string{module + "runtime/gateway", module + "runtime/engine", module + "runtime/relay"},
		why:   "the operator writes the gateway's config; it does not run one",
	},
}

func TestImportArrows(t *testing.T) {
	for _, rule := range reach {
		t.Run(strings.Trim(rule.from, "./"), func(t *testing.T) {
			forbidden := func(pkg string) bool { return hasPrefix(pkg, rule.never) && !hasPrefix(pkg, rule.except) }
			for _, pkg := range deps(t, rule.from) {
				i := slices.IndexFunc(pkg.imports, forbidden)
				if i >= 0 && !forbidden(pkg.path) {
					t.Errorf("%s reaches %s through %s: %s", rule.from, pkg.imports[i], pkg.path, rule.why)
				}
			}
		})
	}
}

type listed struct {
	path    string
	imports []string
}

func deps(t *testing.T, pattern string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, pattern)
	cmd.Dir = root
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pattern, err)
	}
	var pkgs []listed
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		pkgs = append(pkgs, listed{path, strings.Fields(imports)})
	}
	return pkgs
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}
