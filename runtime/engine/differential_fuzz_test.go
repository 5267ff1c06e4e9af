package engine_test

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/llmservice/llmservice/runtime/engine/nethttp"
)

// FuzzBothEngines is TestBothEnginesAnswerAlike for whatever bytes. Time is virtual, and connections are in memory, so that nothing
// depends on when a client is seen to leave: it leaves once everything that could be answered has been.
func FuzzBothEngines(f *testing.F) {
	for _, head := range heads {
		f.Add([]byte(head), byte(0))
		f.Add([]byte(head), byte(7))
	}
	f.Fuzz(func(t *testing.T, sent []byte, mode byte) {
		if len(sent) > 16<<10 {
			return // longer ones take longer, and find nothing more
		}
		size, leaves := len(sent)+1, mode&1 == 1
		if mode&2 == 2 {
			size = 1 + int(mode>>2)
		}
		want, got := alone(t, engines["nethttp"], sent, size, leaves), alone(t, engines["http1"], sent, size, leaves)
		if got != want {
			t.Errorf("to %q in writes of %d, leaves %v\nhttp1 answers   %q\nnethttp answers %q", sent, size, leaves, got, want)
		}
	})
}

// alone is what the only client of an engine is answered, which writes so many bytes at once. It ends its side, or waits for the
// engine to close the connection.
func alone(t *testing.T, e made, sent []byte, size int, leaves bool) (answers string) {
	t.Helper()
	inBubble(t, e, telling(), func(o *nethttp.Options) { o.DrainDelay = 0 }, func(t *testing.T, v *virtual) {
		t.Helper()
		conn, err := v.l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			for rest := sent; len(rest) > 0; {
				n, err := conn.Write(rest[:min(size, len(rest))])
				if err != nil {
					return
				}
				rest = rest[n:]
			}
			if leaves {
				synctest.Wait()
				_ = conn.(interface{ CloseWrite() error }).CloseWrite()
			}
		}()
		all, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		_ = conn.Close()
		<-wrote
		answers = inOrder(all)
	})
	return answers
}
