package docs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/openapi"
)

// TestDocumentsHaveNoDeadReferences: a generator reads the document of every manifest of the pages, of every sample, and of the
// oracle's service to its end.
func TestDocumentsHaveNoDeadReferences(t *testing.T) {
	texts := manifests(t)
	for _, pattern := range []string{"config/samples/*.yaml", "test/oracle/service.yaml"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range paths {
			if filepath.Base(path) == "kustomization.yaml" {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = []string{string(text)}
		}
	}
	for page, found := range texts {
		for _, text := range found {
			compiled, errs := program.Compile(contract(t, page, text))
			if len(errs) > 0 {
				continue // contract has said so
			}
			document, err := openapi.Build(compiled)
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			loaded, err := openapi3.NewLoader().LoadFromData(document)
			if err == nil {
				err = loaded.Validate(t.Context())
			}
			if err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}
