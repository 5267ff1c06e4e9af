// Package seed gives tests that draw what they try a seed, which is printed and can be given, so that each run can be repeated.
package seed

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Variable holds the seed of every test that draws, a number below 1<<63. `.ci/run` sets it to one that is computed from the
// commit: a commit is tested the same way each time, and the next one another way.
const Variable = "LLMSERVICE_SEED"

// Of returns the seed of a test, drawn unless Variable has one, and prints what repeats the run.
func Of(t testing.TB) uint64 {
	t.Helper()
	drawn := rand.Uint64() >> 1 //nolint:gosec // what is tried is not a secret
	if text := os.Getenv(Variable); text != "" {
		var err error
		if drawn, err = strconv.ParseUint(text, 10, 63); err != nil { // as go test's -shuffle reads it
			t.Fatalf("%s: %v", Variable, err)
		}
	}
	t.Logf("%s=%d repeats this run", Variable, drawn)
	return drawn
}
