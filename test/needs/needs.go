// Package needs decides what becomes of a test whose machine lacks something: it fails and says what to run. Nobody finds out by
// accident that nothing was tested; to do without a suite takes a variable that says so.
package needs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Without is the variable that names what may be missing, as in LLMSERVICE_TEST_WITHOUT=browser,oracle.
const Without = "LLMSERVICE_TEST_WITHOUT"

// Missing ends a test that lacks what the name stands for: it fails, or is skipped where Without has the name. The text says what
// there is none of, and what to run.
func Missing(t testing.TB, name, text string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(Without), ","), name) {
		t.Skipf("%s; %s=%s leaves it out", text, Without, name)
	}
	t.Fatalf("%s; %s=%s leaves these tests out", text, Without, name)
}
