package streams

import (
	"strings"
	"testing"
)

func TestEchoSaysWhatWasAsked(t *testing.T) {
	_, url := mock(t)
	got := Stream(t.Context(), NewClient(), Echo().Chat(url, "mock"), nil)
	if got.Ending != Done || !strings.Contains(got.Text, "tell me something") {
		t.Errorf("%s, text %q", got, got.Text)
	}
}
