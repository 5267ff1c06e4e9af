package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

// TokenByToken is what one streamed chat showed.
type TokenByToken struct {
	streams.Result

	// Produced is how many tokens the upstream had produced when the client held the first one.
	Produced int
	// Script is what the upstream was told to do.
	Script streams.Script
}

// StreamTokenByToken streams one chat, and asks the upstream how far it is as soon as the first token is here. It
// fails unless the stream came to its end, and its first token came before the last was produced. The upstream may
// have no other client.
func StreamTokenByToken(
	ctx context.Context, up *Upstream, call func(streams.Script) streams.Call,
) (TokenByToken, error) {
	seen := TokenByToken{Script: streams.Script{Tokens: 20, Pace: 100 * time.Millisecond}}
	before, err := up.Stats(ctx)
	if err != nil {
		return seen, err
	}
	var at mockllm.Stats
	asked := false
	seen.Result = streams.Stream(ctx, streams.NewClient(), call(seen.Script), func(string) {
		if !asked {
			asked = true
			at, err = up.Stats(ctx)
		}
	})
	// The upstream counts a token when it has sent it: the client may be quicker.
	seen.Produced = max(1, int(at.TokensSent-before.TokensSent))
	switch {
	case seen.Ending != streams.Done:
		return seen, fmt.Errorf("the stream ended: %s", seen.Result)
	case err != nil:
		return seen, err
	case seen.Tokens != seen.Script.Tokens:
		return seen, fmt.Errorf("%d tokens came as %d events", seen.Script.Tokens, seen.Tokens)
	case at.Open != 1 || seen.Produced >= seen.Script.Tokens:
		return seen, fmt.Errorf("with the first token here the upstream had produced %d of %d, and %d replies were open",
			seen.Produced, seen.Script.Tokens, at.Open)
	}
	return seen, nil
}

// maxAnswer bounds a whole answer, in bytes.
const maxAnswer = 1 << 20

// Post sends a JSON body and returns the status and the body of the answer.
func Post(ctx context.Context, url string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("POST %s: %w", url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := quick.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("post: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return res.StatusCode, nil, fmt.Errorf("POST %s: %w", url, err)
	}
	return res.StatusCode, answer, nil
}

// Violation is one entry of a 422 answer, as FastAPI writes it.
type Violation struct {
	Loc  []any  `json:"loc"`
	Msg  string `json:"msg"`
	Type string `json:"type"`
}

// Violations posts a body that a route has to refuse, and returns what its 422 says.
func Violations(ctx context.Context, url string, body []byte) ([]Violation, error) {
	status, answer, err := Post(ctx, url, body)
	if err != nil {
		return nil, err
	}
	if status != http.StatusUnprocessableEntity {
		return nil, fmt.Errorf("POST %s: answered %d, want 422", url, status)
	}
	var problem struct {
		Detail []Violation `json:"detail"`
	}
	if err := json.Unmarshal(answer, &problem); err != nil {
		return nil, fmt.Errorf("POST %s: 422 with another body than FastAPI's: %w", url, err)
	}
	if len(problem.Detail) == 0 {
		return nil, errors.New("the 422 names nothing")
	}
	return problem.Detail, nil
}
