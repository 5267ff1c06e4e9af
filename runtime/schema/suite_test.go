package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/test/needs"
)

// suiteGroup is one schema of the official test suite, and what it accepts.
type suiteGroup struct {
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Tests       []struct {
		Description string          `json:"description"`
		Data        json.RawMessage `json:"data"`
		Valid       bool            `json:"valid"`
	} `json:"tests"`
}

// suite gives the directory of the draft's cases. They are not part of this project: they come with a Go module that
// testdata/suite pins, and that is fetched, and held against its checksum, on first use.
func suite(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "github.com/kaptinlin/jsonschema")
	cmd.Dir = filepath.Join("testdata", "suite")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	var module struct {
		Dir   string `json:"Dir"`
		Error string `json:"Error"`
	}
	if err := errors.Join(err, json.Unmarshal(out, &module)); err != nil || module.Dir == "" {
		const how = "the JSON Schema test suite is not there: run `make suite-deps`, with access to a module proxy (%v %s)"
		needs.Missing(t, "suite", fmt.Sprintf(how, err, module.Error))
	}
	return filepath.Join(module.Dir, "testdata", "JSON-Schema-Test-Suite", "tests", "draft2020-12")
}

// runSuite holds every case of a directory against Compile and Check. Cases are named FILE/GROUP/CASE; an exception may
// name any of them, a group or a file, and fails when what it names passes.
func runSuite(t *testing.T, dir string, exceptions map[string]string, options ...Option) (ran int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	failed := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var groups []suiteGroup
		if err := json.Unmarshal(text, &groups); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, group := range groups {
			ran += len(group.Tests)
			name := strings.TrimSuffix(filepath.Base(file), ".json") + "/" + group.Description
			runGroup(t, name, group, exceptions, failed, options)
		}
	}
	for name, reason := range exceptions {
		if !failed[name] {
			t.Errorf("%q passes or is no longer in the suite, but is excepted: %s", name, reason)
		}
	}
	return ran
}

func runGroup(t *testing.T, name string, group suiteGroup, exceptions map[string]string, failed map[string]bool, options []Option) {
	t.Helper()
	s, err := Compile(group.Schema, options...)
	if err != nil {
		if failed[name] = true; exceptions[name] == "" {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	for _, c := range group.Tests {
		_, vs, _ := s.Check(t.Context(), c.Data)
		if (vs == nil) == c.Valid {
			continue
		}
		id := name + "/" + c.Description
		if failed[id] = true; exceptions[id] == "" {
			t.Errorf("%s: %s: valid is %v, got %v", id, c.Data, c.Valid, vs)
		}
	}
}

// TestSuite: the required part of JSON-Schema-Test-Suite, with format as an annotation.
func TestSuite(t *testing.T) {
	if ran := runSuite(t, suite(t), suiteExceptions); ran < 1000 {
		t.Errorf("only %d cases", ran)
	}
}

// TestSuiteFormats: the suite's optional/format, with formats asserted. It has no exceptions.
func TestSuiteFormats(t *testing.T) {
	if ran := runSuite(t, filepath.Join(suite(t), "optional", "format"), nil, AssertFormats()); ran < 400 {
		t.Errorf("only %d cases", ran)
	}
}

const (
	remote = "needs another document, and a schema reads nothing but itself"
	filled = "defaults are filled in here, so one that breaks its own schema is refused when it is compiled"
)

// suiteExceptions are groups that the required part has and that do not pass, with the reason.
var suiteExceptions = map[string]string{
	"default/invalid type for default":                                            filled,
	"default/invalid string value for default":                                    filled,
	"default/the default keyword does not do anything if the property is missing": filled,
	"dynamicRef/strict-tree schema, guards against misspelled properties":         remote,
	"dynamicRef/tests for implementation dynamic anchor and reference link":       remote,
	"dynamicRef/$ref and $dynamicAnchor are independent of order - $defs first":   remote,
	"dynamicRef/$ref and $dynamicAnchor are independent of order - $ref first":    remote,
	"dynamicRef/$ref to $dynamicRef finds detached $dynamicAnchor":                remote,
	"refRemote/remote ref":                                                             remote,
	"refRemote/fragment within remote ref":                                             remote,
	"refRemote/anchor within remote ref":                                               remote,
	"refRemote/ref within remote ref":                                                  remote,
	"refRemote/base URI change":                                                        remote,
	"refRemote/base URI change - change folder":                                        remote,
	"refRemote/base URI change - change folder in subschema":                           remote,
	"refRemote/root ref in remote ref":                                                 remote,
	"refRemote/remote ref with ref to defs":                                            remote,
	"refRemote/Location-independent identifier in remote ref":                          remote,
	"refRemote/retrieved nested refs resolve relative to their URI not $id":            remote,
	"refRemote/remote HTTP ref with different $id":                                     remote,
	"refRemote/remote HTTP ref with different URN $id":                                 remote,
	"refRemote/remote HTTP ref with nested absolute ref":                               remote,
	"refRemote/$ref to $ref finds detached $anchor":                                    remote,
	"vocabulary/schema that uses custom metaschema with with no validation vocabulary": remote,
	"vocabulary/ignore unrecognized optional vocabulary":                               remote,
}
