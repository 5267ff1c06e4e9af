package docs_test

import (
	"strings"
	"testing"
)

// TestComparison: each concern has something to say about every operator, and where this one has nothing, why not.
func TestComparison(t *testing.T) {
	rows := table(t, "docs/compare.md", "concern", "OpenTelemetry operator", "CloudNativePG", "KServe LLMInferenceService", "Knative Serving", "LLMService")
	if len(rows) < 15 {
		t.Fatalf("there are %d concerns", len(rows))
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("%s has an empty cell", row[0])
			}
		}
		if ours := strings.ToLower(row[len(row)-1]); strings.HasPrefix(ours, "no") && !strings.ContainsAny(ours, ":.") {
			t.Errorf("%s: %q gives no reason", row[0], ours)
		}
	}
}
