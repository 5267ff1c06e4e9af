package relay

import (
	"net/http"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Problem is the reply with an error, in the format that the client expects.
func Problem(format problem.ErrorFormat, e *problem.Error) *Reply {
	r := format.Reply(e)
	header := make(http.Header, len(r.Header))
	for _, f := range r.Header {
		header.Add(f.Name, f.Value)
	}
	return &Reply{Status: r.Status, Header: header, Body: r.Body}
}

// jsonHeader is never changed.
var jsonHeader = http.Header{"Content-Type": {"application/json"}}

// JSON is a reply of status 200 with a JSON body.
func JSON(body []byte) *Reply { return &Reply{Status: http.StatusOK, Header: jsonHeader, Body: body} }
