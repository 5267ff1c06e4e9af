package sdks

import (
	"encoding/json"
	"math"
	"slices"
)

// request is what a driver is asked to do.
type request struct {
	Op      string          `json:"op"`
	Params  json.RawMessage `json:"params"`
	Retries int             `json:"retries,omitempty"`
}

// answer is what came of a request, in no library's words.
type answer struct {
	Text    string          `json:"text"`
	Calls   []call          `json:"calls"`
	Finish  string          `json:"finish"`
	Model   string          `json:"model"`
	Usage   *tokens         `json:"usage"`
	Pieces  int             `json:"pieces"` // of text, in a stream
	Parsed  json.RawMessage `json:"parsed"`
	Vectors [][]float64     `json:"vectors"`
	Names   []string        `json:"names"`
	Events  []string        `json:"events"` // their types, each once, in the order of the first
	Left    bool            `json:"left"`
	// ID is that of a response, and Continues that of the response before it.
	ID        string   `json:"id"`
	Continues string   `json:"continues"`
	Error     *failure `json:"error"`
}

type call struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type tokens struct {
	Input  int64 `json:"input"`
	Output int64 `json:"output"`
}

// failure is what a library raises.
type failure struct {
	Class   string `json:"class"`
	Status  int    `json:"status"`
	Code    any    `json:"code"`
	Param   any    `json:"param"`
	Message string `json:"message"`
	// RetryAfter is the header of the answer, in seconds.
	RetryAfter string `json:"retry_after"`
}

// comparable is the answer without what depends on timing or rounding: how many pieces there were, and the last bits of floats.
func (a *answer) comparable() answer {
	c := *a
	c.ID, c.Continues = "", ""
	c.Pieces = min(c.Pieces, 2)
	c.Calls = slices.Concat(c.Calls)
	c.Vectors = nil
	for _, v := range a.Vectors {
		rounded := make([]float64, len(v))
		for i, x := range v {
			rounded[i] = math.Round(x*1e5)/1e5 + 0 // no negative zero
		}
		c.Vectors = append(c.Vectors, rounded)
	}
	if c.Error != nil {
		wrong := *c.Error
		wrong.Message = ""
		c.Error = &wrong
	}
	return c
}
