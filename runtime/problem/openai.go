package problem

import (
	"fmt"
	"strconv"
	"strings"
)

// OpenAI writes {"error": {"message", "type", "param", "code"}} as OpenAI's API does, in answers and in streams.
var OpenAI ErrorFormat = openAI{}

type openAI struct{}

type openAIBody struct {
	Error openAIError `json:"error"`
}

type openAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"` // null where no single parameter is at fault
	Code    any     `json:"code"`  // a Code, or what an upstream has in its place
	*Answer
}

// Reply gives OpenAI's 400 where FastAPI has 422: OpenAI's SDKs recognise a bad request by that status. An upstream's own stays.
func (f openAI) Reply(e *Error) Reply {
	status := e.Status
	if status == 422 && e.said == nil {
		status = 400
	}
	return reply(e, status, f.body(e))
}

func (f openAI) Event(e *Error) []byte {
	out := f.body(e)
	out.Error.Answer = e.Answer
	return encode(out)
}

func (openAI) body(e *Error) openAIBody {
	out := openAIError{Message: e.words(), Type: e.openAIType(), Code: e.Code}
	param := e.Param
	if len(e.Violations) > 0 {
		first := e.Violations[0]
		if first.Type != TypeJSONInvalid { // whose location is a byte offset, not a parameter
			param = path(first.Loc)
		}
		out.Message = violationsMessage(param, e.Violations)
	}
	if param != "" {
		out.Param = &param
	}
	if e.said != nil {
		out = e.said.as(out)
	}
	return openAIBody{Error: out}
}

// words are the message. FastAPI's for a path and for a method, which are a part of its contract, do not say what there is instead.
func (e *Error) words() string {
	switch {
	case len(e.Allow) > 0:
		return "This path does not have the method of the request. It must be one of " + strings.Join(e.Allow, ", ") + "."
	case e.Code == NotFound:
		return "This path does not exist. GET /openapi.json lists those that do."
	}
	return e.Message
}

// openAIType is that of the code. A code of a gate's own has that of its status.
func (e *Error) openAIType() string {
	known := meanings[e.Code].openAI
	switch {
	case known != "":
		return known
	case e.Status >= 400 && e.Status < 500:
		return openAIInvalid
	}
	return openAIServer
}

// violationsMessage puts the first violation into words, since OpenAI's form has room for one, and counts the rest.
func violationsMessage(param string, vs []Violation) string {
	msg := vs[0].Msg
	if reason, ok := vs[0].Ctx["error"].(string); ok && vs[0].Type == TypeJSONInvalid {
		msg += ": " + reason
	}
	if param != "" {
		msg = fmt.Sprintf("Invalid value for %q: %s", param, msg)
	}
	switch more := len(vs) - 1; more {
	case 0:
		return msg + "."
	case 1:
		return msg + " (and 1 more error)."
	default:
		return fmt.Sprintf("%s (and %d more errors).", msg, more)
	}
}

// path writes a location below the body as OpenAI names parameters, such as messages[0].role. Tags are not part of that.
func path(loc []any) string {
	if len(loc) > 0 && loc[0] == "body" {
		loc = loc[1:]
	}
	var b strings.Builder
	for _, step := range loc {
		switch step := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}
