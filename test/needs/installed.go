package needs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Installed is the directory in which `make SUITE-deps` has installed what a lock file pins. Its name begins with the one given
// and ends with the sum of the file. A test of which it is missing ends as with Missing.
func Installed(t testing.TB, suite, name, lock string) string {
	t.Helper()
	raw, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	cache := os.Getenv("CACHE") // make's own variable, where it was set
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "llmservice")
	}
	sum := sha256.Sum256(raw)
	dir := filepath.Join(cache, name+"-"+hex.EncodeToString(sum[:])[:12])
	if _, err := os.Stat(dir); err != nil {
		Missing(t, suite, fmt.Sprintf("what %s pins is not installed: run `make %s-deps` (%v)", lock, suite, err))
	}
	return dir
}
