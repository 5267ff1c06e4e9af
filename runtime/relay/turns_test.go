package relay_test

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/test/yields"
)

// TestWhatIsReadTakesTurns reads a body that is there, on one worker that another goroutine wants, too.
func TestWhatIsReadTakesTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const pieces = 64
	body := strings.Repeat("x", pieces*relay.Piece)
	var got []byte
	var err error
	had := yields.During(func() { got, err = io.ReadAll(&relay.InTurns{Reader: strings.NewReader(body)}) })
	if err != nil || string(got) != body {
		t.Fatalf("read %d bytes of %d, %v", len(got), len(body), err)
	}
	if had < pieces/2 {
		t.Errorf("another goroutine had %d turns while %d pieces were read", had, pieces)
	}
}
