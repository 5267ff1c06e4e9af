//go:build hostile && linux

package hostile

import (
	"context"
	"net"
	"testing"
	"time"
)

// answers are an upstream's, to clients who did nothing wrong.
var answers = []attack{
	{name: "events-of-16-MiB", streamed: true, accept: []int{200}, requests: one(chat("giant-event", streaming))},
	{name: "whole-answers-of-16-MiB", accept: []int{200}, requests: one(chat("giant-event", ""))},
	{name: "events-that-never-end", streamed: true, accept: []int{200}, requests: one(chat("endless-line", streaming))},
	{name: "answers-that-never-end", requests: one(chat("endless-line", ""))},
	{name: "comments-without-end", streamed: true, accept: []int{200}, requests: one(chat("endless-comments", streaming))},
	{name: "heads-without-end", requests: one(chat("endless-head", streaming))},
	{name: "streams-of-single-bytes", streamed: true, accept: []int{200}, within: 20 * second, parallel: 5, requests: one(chat("single-bytes", streaming))},
	{name: "events-all-at-once", streamed: true, accept: []int{200}, requests: one(chat("burst", streaming)), within: 10 * second, parallel: 5},
	{name: "events-all-at-once-rewritten", streamed: true, accept: []int{200}, requests: one(post("/burst", "{}")), within: 10 * second, parallel: 5},
	{name: "bombs", streamed: true, accept: []int{200}, requests: one(chat("bomb", streaming))},
	{name: "bombs-of-whole-answers", accept: []int{200}, requests: one(chat("bomb", ""))},
	{name: "silence", requests: one(chat("silent", streaming))},
	{name: "events-that-are-deep", streamed: true, accept: []int{200}, requests: one(chat("deep-event", streaming))},
	{name: "answers-that-are-deep", accept: []int{200}, within: 4 * second, requests: one(post("/deep", ""))},
	{name: "answers-that-drip", requests: one(post("/slowly", ""))},
	{name: "readers-of-nothing", parallel: 40, does: func(ctx context.Context, s *assault) {
		hold(ctx, s, chat("burst", streaming))
	}},
	{name: "readers-of-nothing-large", parallel: 40, does: func(ctx context.Context, s *assault) {
		hold(ctx, s, chat("giant-event", streaming))
	}},
}

const (
	second    = time.Second
	streaming = `, "stream": true`
)

// hold asks for an answer, reads none of it, and leaves with the attack.
func hold(ctx context.Context, s *assault, message []byte) {
	conn, err := net.DialTimeout("tcp", s.address, s.patience())
	if err != nil {
		s.count(unconnected(err))
		return
	}
	defer conn.Close()
	_, _ = conn.Write(message)
	<-ctx.Done()
	s.count(outcome{text: "left"})
}

func TestAnswers(t *testing.T) { try(t, answers) }
