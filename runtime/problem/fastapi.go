package problem

// FastAPI writes {"detail": …} as FastAPI does: the list of violations for a request that fails validation, a
// sentence for everything else.
var FastAPI ErrorFormat = fastAPI{}

type fastAPI struct{}

func (f fastAPI) Reply(e *Error) Reply { return reply(e, e.Status, f.body(e)) }

// Event is the same object: FastAPI has no separate form for an error within a stream.
func (f fastAPI) Event(e *Error) []byte { return encode(f.body(e)) }

func (fastAPI) body(e *Error) any {
	if len(e.Violations) > 0 {
		return struct {
			Detail []Violation `json:"detail"`
		}{e.Violations}
	}
	return struct {
		Detail string `json:"detail"`
	}{e.Message}
}
