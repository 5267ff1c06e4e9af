package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestStepIsToldAndTimed(t *testing.T) {
	var out strings.Builder
	n := newNarrator(&out)
	err := n.step(t.Context(), "A step", strings.Repeat("why it is done ", 20), func(context.Context) (string, error) {
		return "what was seen", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^ 1\. A step$`).MatchString(out.String()) ||
		!regexp.MustCompile(`(?m)^    ok what was seen +\d+\.\d s$`).MatchString(out.String()) {
		t.Errorf("told so:\n%s", out.String())
	}
	for line := range strings.Lines(out.String()) {
		if len(strings.TrimSuffix(line, "\n")) > width+len("  123.4 s") {
			t.Errorf("line of %d characters: %s", len(line), line)
		}
	}
}

func TestStepThatFailsIsAnError(t *testing.T) {
	var out strings.Builder
	n := newNarrator(&out)
	n.steps = 3
	wrong := errors.New("went wrong")
	err := n.step(t.Context(), "A step", "why", func(context.Context) (string, error) { return "seen", wrong })
	if !errors.Is(err, wrong) || !strings.Contains(err.Error(), "step 4") {
		t.Errorf("error %v, want one of step 4", err)
	}
	if strings.Contains(out.String(), "ok") {
		t.Errorf("a failure was told as a success:\n%s", out.String())
	}
}
