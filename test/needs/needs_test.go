package needs

import (
	"runtime"
	"strings"
	"testing"
)

// recorder is a test of which only the end is looked at.
type recorder struct {
	testing.TB

	end string
}

func (*recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) { r.ends("skipped", format, args...) }

func (r *recorder) Fatalf(format string, args ...any) { r.ends("failed", format, args...) }

func (r *recorder) ends(how, _ string, args ...any) {
	r.end = how
	if text, _ := args[0].(string); text != "there is no browser" {
		r.end += " without a word"
	}
	runtime.Goexit()
}

// TestMissing fails a test, unless somebody has said that it may be missing.
func TestMissing(t *testing.T) {
	for without, want := range map[string]string{"": "failed", "oracle": "failed", "browsers": "failed", "browser": "skipped", "oracle,browser": "skipped"} {
		t.Setenv(Without, without)
		r := &recorder{TB: t}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			Missing(r, "browser", "there is no browser")
		}()
		<-ended
		if r.end != want {
			t.Errorf("%s=%s: %q, want %s", Without, without, r.end, want)
		}
	}
	if strings.ContainsAny(Without, " =") {
		t.Errorf("%q cannot be the name of a variable", Without)
	}
}
