package seed

import (
	"fmt"
	"runtime"
	"testing"
)

// recorder is a test of which only the words are looked at.
type recorder struct {
	testing.TB

	said, failed string
}

func (*recorder) Helper() {}

func (r *recorder) Logf(format string, args ...any) { r.said = fmt.Sprintf(format, args...) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func drawn() (uint64, *recorder) {
	var seed uint64
	r := &recorder{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		seed = Of(r)
	}()
	<-ended
	return seed, r
}

func TestOf(t *testing.T) {
	t.Setenv(Variable, "")
	first, r := drawn()
	if want := fmt.Sprintf("LLMSERVICE_SEED=%d repeats this run", first); r.said != want {
		t.Errorf("said %q, want %q", r.said, want)
	}
	if second, _ := drawn(); second == first {
		t.Errorf("drew %d twice", first)
	}
	t.Setenv(Variable, fmt.Sprint(first))
	if again, r := drawn(); again != first || r.said == "" {
		t.Errorf("%s=%d gave %d and said %q", Variable, first, again, r.said)
	}
	for _, text := range []string{"-1", "9223372036854775808", "on", "0x1"} {
		t.Setenv(Variable, text)
		if seed, r := drawn(); r.failed == "" {
			t.Errorf("%s=%s gave %d, want an error", Variable, text, seed)
		}
	}
}
