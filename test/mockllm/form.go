package mockllm

import (
	"context"
	"net/http"
)

// form is how an API puts a reply.
type form struct {
	stream func(*reply) frames
	whole  func(*reply) ([]byte, error)
}

// planReply settles how a request that has been read is answered, in the form of its API.
func (s *Server) planReply(r *http.Request, req chatRequest, as form) (*exchange, *refusal) {
	if wrong := req.check(); wrong != nil {
		return nil, wrong
	}
	script, wrong := s.script(r.Header, req.Messages, req.Model)
	if wrong != nil {
		return nil, wrong
	}
	rep := newReply(req, script, s.serial.Add(1))
	if req.Stream {
		return &exchange{script: script, answer: func(ctx context.Context, out *sender) error {
			return rep.stream(ctx, out, as.stream(rep))
		}}, nil
	}
	return &exchange{script: script, answer: func(ctx context.Context, out *sender) error {
		body, err := as.whole(rep)
		if err != nil {
			return err
		}
		return out.document(ctx, document{script: script, body: body, tokens: rep.count, due: rep.due(max(rep.count-1, 0))})
	}}, nil
}
