package http1

// FaultError is what was wrong with an answer or a request. Its text repeats nothing of either.
type FaultError string

// The faults. Other errors are those of the connection and of the context.
const (
	ErrHead    FaultError = "the head of the answer is malformed"
	ErrTooLong FaultError = "the head of the answer is too long"
	ErrChunks  FaultError = "the chunks of the answer are malformed"
	ErrEnd     FaultError = "the end of the answer is malformed"
	errClosed  FaultError = "the answer was closed"
	ErrRequest FaultError = "the request has a header field that HTTP does not allow"
)

// Error implements error.
func (f FaultError) Error() string { return string(f) }
