package relay

import (
	"context"
	"net/http"
	"time"
)

// Conn is what an engine knows of one request: the connection that it came on, as far as the request is concerned. One
// goroutine at a time uses it.
type Conn interface {
	// Context ends when the client has left, and with a Failure as its cause (FailedDraining) when the engine ends
	// what is in flight. Without a body to come, or after it has been read, it notices the client's leaving at once.
	Context() context.Context
	// Await is Context while the body is not read yet, for as long as the exchange waits. It notices that the client
	// leaves as well as it can without the body. stop is called before anything else of the connection is.
	Await() (ctx context.Context, stop func())
	// Body reads the body to its end, with ReadAll. RefusalOf classifies its error. The engine may use the body's memory again
	// once Serve has returned and the answer has been sent.
	Body(m Memory, limit int64) ([]byte, error)
	// Reply sends a whole answer, also before the body has been read. After an error, part of it may have been sent.
	Reply(r *Reply) error
	// Begin sends the head of an answer of status 200 that has no length. What follows has to be written until then.
	Begin(header http.Header, until time.Time) error
	// Send writes what follows Begin, and keeps nothing back. A write fails when the client takes nothing of it for too
	// long: see Progress.
	Send(bytes []byte) error
}
