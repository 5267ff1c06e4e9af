package problem

import "encoding/json"

// Said is an upstream's account of what is wrong with a request. It has been filtered, since it may hold keys. It may still hold
// a prompt, so it is only for the client that sent the request: no log, metric or template gets it.
type Said struct {
	// Message is empty if the upstream sent nothing that can be passed on.
	Message string
	// Type and Param are OpenAI's; empty if the upstream has none.
	Type, Param string
	// Code is a string, a number or null; nil if the upstream has none.
	Code json.RawMessage
}

// Rejected is the error that an upstream's answer of a status is to the client whose request it is about: the status stays,
// and so does the text if the client's protocol is the upstream's.
func Rejected(status int, said *Said) *Error {
	e := New(UpstreamRejected)
	e.Status, e.said = status, said
	return e
}

// as puts an upstream's words into the place of ours.
func (s *Said) as(ours openAIError) openAIError {
	if s.Message != "" {
		ours.Message = s.Message
	}
	if s.Type != "" {
		ours.Type = s.Type
	}
	if s.Param != "" {
		ours.Param = &s.Param
	}
	if s.Code != nil {
		ours.Code = s.Code
	}
	return ours
}
