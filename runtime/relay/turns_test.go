package relay_test

import (
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llmservice/llmservice/runtime/relay"
)

// TestWhatIsReadTakesTurns reads a body that is there, on one worker that another goroutine wants, too.
func TestWhatIsReadTakesTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const pieces = 64
	body := strings.Repeat("x", pieces*relay.Piece)
	var others atomic.Int64
	var done atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; !done.Load(); runtime.Gosched() {
			others.Add(1)
		}
	}()
	got, err := io.ReadAll(&relay.InTurns{Reader: strings.NewReader(body)})
	turns := others.Load()
	done.Store(true)
	<-ended
	if err != nil || string(got) != body {
		t.Fatalf("read %d bytes of %d, %v", len(got), len(body), err)
	}
	if turns < pieces/2 {
		t.Errorf("another goroutine had %d turns while %d pieces were read", turns, pieces)
	}
}
