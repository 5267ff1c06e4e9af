package samples

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// support answers with the model that the ticket deserves, and with the backup if that one fails or is silent.
func support(ctx context.Context, p *Place) error {
	if err := supportTickets(ctx, p); err != nil {
		return err
	}
	const important, other = 2, 1
	for _, try := range []struct {
		customer  int
		big       string
		by, words string
	}{
		{important, `{"text": "From the big model."}`, "big", "From the big model."},
		{important, `{"status": 503}`, "backup", "From the backup."},
		{important, `{"fault": "Silence"}`, "backup", "From the backup."},
		{other, `{"status": 503}`, "small", `{"category":"billing","urgency":5}`},
	} {
		ticket := scripted(`{"models": {
			"gpt-5-mini": {"json": {"category": "billing", "urgency": 5}}, "gpt-5": `+try.big+`, "qwen3-8b": {"text": "From the backup."}
		}}`, "You charged me twice.")
		seen, err := p.events(ctx, "/support", object{"ticket": ticket, "customer_id": try.customer, "tags": []string{"money"}})
		if err != nil {
			return fmt.Errorf("customer %d, the big model does %s: %w", try.customer, try.big, err)
		}
		words, result, err := supportAnswer(seen)
		want := object{"category": "billing", "tags": []any{"money"}, "answeredBy": try.by}
		if err != nil || words != try.words || !reflect.DeepEqual(result, want) {
			return fmt.Errorf("customer %d, the big model does %s: %q and %v (%w), want %q and %v",
				try.customer, try.big, words, result, err, try.words, want)
		}
	}
	return nil
}

// supportAnswer is what a stream of /support says: the answer's tokens, and the result.
func supportAnswer(seen []event) (words string, result object, err error) {
	var said strings.Builder
	for _, e := range seen {
		switch e.name {
		case "answer":
			t, err := e.told()
			if err != nil {
				return "", nil, err
			}
			said.WriteString(t.Text)
		case "result":
			if err := json.Unmarshal([]byte(e.data), &result); err != nil {
				return "", nil, fmt.Errorf("the result: %w", err)
			}
		}
	}
	return said.String(), result, nil
}

// supportTickets hands on a ticket without what is for the service alone.
func supportTickets(ctx context.Context, p *Place) error {
	for target, want := range map[string]object{
		"/health":    {"status": "ok"},
		"/tickets/7": {"id": 7.0, "title": "Ticket 7", "state": "closed"},
		"/tickets/0": {"detail": "Ticket not found"},
	} {
		_, answer, err := p.ask(ctx, http.MethodGet, target, nil)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(answer, want) {
			return fmt.Errorf("GET %s: %v, want %v", target, answer, want)
		}
	}
	return nil
}
