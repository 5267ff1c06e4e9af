package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestFailureOf(t *testing.T) {
	live := t.Context()
	left, leave := context.WithCancel(t.Context())
	leave()
	ended, end := context.WithCancelCause(t.Context())
	end(Failure{Kind: FailedIdle})
	child, cancel := context.WithCancel(ended)
	defer cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		want FailureKind
	}{
		"nobody ended it":        {live, FailedTruncated},
		"the client left":        {left, FailedClient},
		"a timer ended it":       {ended, FailedIdle},
		"a timer further up did": {child, FailedIdle},
	} {
		if got := FailureOf(tt.ctx, io.ErrUnexpectedEOF, FailedTruncated); got.Kind != tt.want {
			t.Errorf("%s: %s, want %s", name, got.Kind, tt.want)
		}
	}
	known := fmt.Errorf("send: %w", Failure{Kind: FailedSuperseded})
	for _, ctx := range []context.Context{live, left, ended} {
		if f := FailureOf(ctx, known, FailedTruncated); f.Kind != FailedSuperseded {
			t.Errorf("an error that is a failure became %s", f.Kind)
		}
	}
	if f := FailureOf(live, io.ErrUnexpectedEOF, FailedTruncated); !errors.Is(f, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}
