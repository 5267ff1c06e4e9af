//go:build hostile && !linux

package hostile

import (
	"fmt"
	"os"
	"testing"
)

// TestMain fails where the suite cannot run: no test at all would look like one that passed.
func TestMain(*testing.M) {
	fmt.Fprintln(os.Stderr, "hostile: control groups take Linux")
	os.Exit(1)
}
