package samples

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// agent lets the model call two functions at once, and streams what goes on, its answer, and the result.
func agent(ctx context.Context, p *Place) error {
	question := scripted(`{"turns": [
		{"toolCalls": [
			{"name": "find_documents", "arguments": {"query": "streams", "limit": 1}},
			{"name": "define", "arguments": {"term": "SSE"}}
		]},
		{"text": "I found: ", "echoRole": "tool"}
	]}`, "What is a stream?")
	seen, err := p.events(ctx, "/ask", object{"question": question})
	if err != nil {
		return err
	}
	if err := checkTools(seen); err != nil {
		return err
	}
	return checkResult(seen)
}

// told is the data of an event.
type told struct {
	Tool   string   `json:"tool"`
	State  string   `json:"state"`
	Text   string   `json:"text"`
	Answer string   `json:"answer"`
	Calls  []string `json:"calls"`
}

func (e event) told() (told, error) {
	var t told
	if err := json.Unmarshal([]byte(e.data), &t); err != nil {
		return t, fmt.Errorf("event %s: %w", e.name, err)
	}
	return t, nil
}

// checkTools wants both tools to have begun before one of them came to its end.
func checkTools(seen []event) error {
	var states []string
	for _, e := range seen {
		t, err := e.told()
		if err != nil {
			return err
		}
		if e.name == "progress" && t.Tool != "" {
			states = append(states, t.State)
		}
	}
	if want := []string{"started", "started", "succeeded", "succeeded"}; !slices.Equal(states, want) {
		return fmt.Errorf("the progress of tools is %v, want %v", states, want)
	}
	return nil
}

// checkResult wants the result to be what the tokens said, and to hold what the tools found.
func checkResult(seen []event) error {
	var said strings.Builder
	var result told
	for _, e := range seen {
		t, err := e.told()
		if err != nil {
			return err
		}
		switch e.name {
		case "agent":
			said.WriteString(t.Text)
		case "result":
			result = t
		}
	}
	for _, found := range []string{"Document 1 is about streams.", "An article about SSE."} {
		if !strings.Contains(result.Answer, found) {
			return fmt.Errorf("the answer is %q, want %q in it", result.Answer, found)
		}
	}
	if said.String() != result.Answer {
		return fmt.Errorf("the tokens say %q, and the result %q", &said, result.Answer)
	}
	if want := []string{"find_documents", "define"}; !reflect.DeepEqual(result.Calls, want) {
		return fmt.Errorf("the calls are %v, want %v", result.Calls, want)
	}
	return nil
}
