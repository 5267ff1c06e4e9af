package samples

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/llmservice/llmservice/test/mockllm"
)

// gather makes one answer of three calls that run at once.
func gather(ctx context.Context, p *Place) error {
	status, answer, err := p.ask(ctx, http.MethodGet, "/users/7/home?orders=2", nil)
	if err != nil {
		return err
	}
	for member, want := range map[string]object{
		"user":            {"path": "/http/echo/users/7", "query": object{}},
		"orders":          {"path": "/http/echo/users/7/orders", "query": object{"limit": []any{"2"}}},
		"recommendations": {"path": "/http/echo/recommendations", "query": object{"user": []any{"7"}}},
	} {
		asked, _ := answer[member].(object)
		if got := (object{"path": asked["path"], "query": asked["query"]}); status != http.StatusOK || !reflect.DeepEqual(got, want) {
			return fmt.Errorf("answered %d, and for %s %v was asked, want %v", status, member, got, want)
		}
	}
	status, _, err = p.ask(ctx, http.MethodGet, "/users/nobody/home", nil)
	if err == nil && status != http.StatusUnprocessableEntity {
		err = fmt.Errorf("GET /users/nobody/home: %d, want 422", status)
	}
	return err
}

// vote decides as soon as two models agree, and cancels the third.
func vote(ctx context.Context, p *Place) error {
	err := p.expect(ctx, "the model whose vote is not needed is left", oneCancelled, func() error {
		message := scripted(`{"models": {
			"qwen3-8b": {"json": {"topic": "invoice"}},
			"llama-3.1-8b-instruct": {"fault": "Silence", "text": "never"},
			"mistral-small": {"json": {"topic": "invoice"}}
		}}`, "You charged me twice.")
		return p.wants(ctx, "/topics", object{"message": message},
			http.StatusOK, object{"topic": "invoice", "votes": object{"invoice": 2.0}})
	})
	if err != nil {
		return err
	}
	message := scripted(`{"models": {
		"qwen3-8b": {"json": {"topic": "invoice"}},
		"llama-3.1-8b-instruct": {"json": {"topic": "order"}},
		"mistral-small": {"json": {"topic": "other"}}
	}}`, "Hello?")
	return p.wants(ctx, "/topics", object{"message": message}, http.StatusBadGateway, object{"detail": "The vote was not decided."})
}

// fallback takes the small model where the large one fails, or says nothing in time.
func fallback(ctx context.Context, p *Place) error {
	for _, try := range []struct{ large, want string }{
		{`{"text": "large"}`, "large"},
		{`{"fault": "Silence"}`, "small"},
		{`{"status": 503}`, "small"},
	} {
		question := scripted(`{"models": {"qwen3-32b": `+try.large+`, "qwen3-8b": {"text": "small"}}}`, "Who are you?")
		got, err := p.deltas(ctx, "/answers", object{"question": question})
		if err != nil {
			return fmt.Errorf("the large model does %s: %w", try.large, err)
		}
		if got != try.want {
			return fmt.Errorf("the large model does %s: %q answers, want %q", try.large, got, try.want)
		}
	}
	return nil
}

// deltas is the text of a stream of the format JSON.
func (p *Place) deltas(ctx context.Context, target string, body any) (string, error) {
	seen, err := p.events(ctx, target, body)
	if err != nil {
		return "", err
	}
	return textOf(seen, func(e event) string {
		var delta struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal([]byte(e.data), &delta); err != nil || e.name != "delta" {
			return fmt.Sprintf("[%s]", e)
		}
		return delta.Text
	}), nil
}

// hedge asks another model beside one that does not begin, and leaves that one.
func hedge(ctx context.Context, p *Place) error {
	return p.expect(ctx, "the model that was too slow is left", oneCancelled, func() error {
		text := scripted(`{"models": {"qwen3-8b": {"fault": "HangBeforeHeaders"}, "qwen3-8b-instruct": {"text": "in a land"}}}`, "Once")
		seen, err := p.events(ctx, "/completions", object{"text": text})
		if err != nil {
			return err
		}
		if got := textOf(seen, func(e event) string { return e.data }); got != "in a land" {
			return fmt.Errorf("completed with %q, want what the other model says", got)
		}
		return nil
	})
}

// timeout answers something else in place of a model that is too slow.
func timeout(ctx context.Context, p *Place) error {
	if err := p.wants(ctx, "/titles", object{"text": scripted(`{"text": "A fox"}`, "")},
		http.StatusOK, object{"title": "A fox"}); err != nil {
		return err
	}
	const words = "There was once a fox, and it had friends"
	slow := object{"text": words + scripted(`{"fault": "HangBeforeHeaders"}`, "")}
	err := p.expect(ctx, "the slow model is left", oneCancelled, func() error {
		return p.wants(ctx, "/titles", slow, http.StatusOK, object{"title": words})
	})
	if err != nil {
		return err
	}
	return p.expect(ctx, "the slow model is left", oneCancelled, func() error {
		return p.wants(ctx, "/summaries", slow, http.StatusGatewayTimeout,
			object{"detail": "There is no summary: try a shorter text.", "reason": "timeout"})
	})
}

// structuredOutput asks again until the answer satisfies its schema, or has been asked for often enough.
func structuredOutput(ctx context.Context, p *Place) error {
	asked := func(n int) func(before, after mockllm.Stats) bool {
		return func(before, after mockllm.Stats) bool { return after.Finished == before.Finished+n && after.Open == 0 }
	}
	err := p.expect(ctx, "the model is asked twice", asked(2), func() error {
		text := scripted(`{"turns": [{"text": "Sure! Here it is."}, {"json": {
			"number": "R-7", "currency": "EUR", "lines": [{"text": "Tea", "amount": 4}, {"text": "Returned", "amount": -1.5}]
		}}]}`, "Invoice R-7 …")
		return p.wants(ctx, "/invoices", object{"text": text},
			http.StatusOK, object{"number": "R-7", "currency": "EUR", "lines": 2.0, "refund": true})
	})
	if err != nil {
		return err
	}
	return p.expect(ctx, "the model is asked three times", asked(3), func() error {
		return p.wants(ctx, "/invoices", object{"text": scripted(`{"text": "Sure!"}`, "Invoice R-7 …")}, http.StatusBadGateway,
			object{"detail": "The model's answer does not satisfy the schema of its step."})
	})
}
