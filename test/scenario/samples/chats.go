package samples

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/llmservice/llmservice/test/scenario/streams"
)

// chat sends tokens as a FastAPI program does, each as soon as it is there, and the model is told when the client goes.
func chat(ctx context.Context, p *Place) error {
	if err := chatBytes(ctx, p); err != nil {
		return err
	}
	if err := chatHistory(ctx, p); err != nil {
		return err
	}
	return p.expect(ctx, "the model learns that the client has gone", oneCancelled, func() error {
		// The model falls silent, so that these tokens are here before the last one was said.
		s, err := p.stream(ctx, "/chat", object{"prompt": scripted(`{"fault": "Silence", "afterTokens": 2}`, "Hello")})
		if err != nil {
			return err
		}
		defer s.Close()
		for _, want := range []event{{data: "token-0 "}, {data: "token-1 "}} {
			got, err := s.next()
			if err != nil {
				return fmt.Errorf("where %q is due: %w", want.data, err)
			}
			if got != want {
				return fmt.Errorf("the next event is %q, want %q", got, want)
			}
		}
		return nil
	})
}

func chatBytes(ctx context.Context, p *Place) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	res, err := p.open(ctx, http.MethodPost, "/chat", object{"prompt": scripted(`{"text": "It is so."}`, "Is it?")})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("POST /chat: %w", err)
	}
	const want = "data: It \n\ndata: is \n\ndata: so.\n\nevent: done\ndata: {\"finishReason\":\"stop\","
	if !strings.HasPrefix(string(raw), want) {
		return fmt.Errorf("the stream is\n%s\nwant it to begin with\n%s", raw, want)
	}
	return nil
}

func chatHistory(ctx context.Context, p *Place) error {
	seen, err := p.events(ctx, "/chat", object{
		"prompt": scripted(`{"text": "I said: ", "echoRole": "assistant"}`, "What did you say?"),
		"history": []object{
			{"role": "user", "content": "Who wrote the first program?"},
			{"role": "assistant", "content": "Ada did."},
		},
	})
	if err != nil {
		return err
	}
	if got := textOf(seen, func(e event) string { return e.data }); !strings.Contains(got, "Ada did.") {
		return fmt.Errorf("of what was said before the model knows nothing: %q", got)
	}
	return nil
}

// textOf joins the texts of the events before the last one.
func textOf(seen []event, text func(event) string) string {
	var b strings.Builder
	for _, e := range seen[:len(seen)-1] {
		b.WriteString(text(e))
	}
	return b.String()
}

// assistant streams OpenAI's chunks.
func assistant(ctx context.Context, p *Place) error {
	return streamed(ctx, streams.Script{Tokens: 5}.Field(p.URL+"/answer", "question"))
}

// minimal serves any OpenAI client.
func minimal(ctx context.Context, p *Place) error {
	return streamed(ctx, streams.Script{Tokens: 5}.Chat(p.URL+"/v1/chat/completions", "assistant"))
}

// provider serves any OpenAI client, with a key, a name and whatever else the provider wants that the client does not know.
func provider(ctx context.Context, p *Place) error {
	return streamed(ctx, streams.Script{Tokens: 5}.Chat(p.URL+"/v1/chat/completions", "assistant"))
}

func streamed(ctx context.Context, call streams.Call) error {
	if got := streams.Stream(ctx, streams.NewClient(), call, nil); got.Ending != streams.Done {
		return fmt.Errorf("ask %s: %s", call.URL, got)
	}
	return nil
}

// summarize answers as a whole.
func summarize(ctx context.Context, p *Place) error {
	return p.wants(ctx, "/summaries", object{"text": scripted(`{"text": "In short."}`, "At length.")},
		http.StatusOK, object{"summary": "In short."})
}

// rag finds in two places at once, and streams an answer of what it found.
func rag(ctx context.Context, p *Place) error {
	text, err := p.ragAnswer(ctx)
	if err != nil {
		return err
	}
	for _, want := range []string{"Document 1 is about foxes.", "Document 2 is about foxes.", "An article about foxes."} {
		if !strings.Contains(text, want) {
			return fmt.Errorf("the model is not told %q, but %q", want, text)
		}
	}
	return nil
}

// ragModel finds for a client that asks a model, whole and streamed.
func ragModel(ctx context.Context, p *Place) error {
	const found = "Document 1 is about foxes."
	messages := []object{
		{"role": "system", "content": "Say nothing."},
		{"role": "user", "content": scripted(`{"text": "I was told: ", "echoRole": "system"}`, "foxes")},
	}
	status, answer, err := p.ask(ctx, http.MethodPost, "/v1/chat/completions", object{"model": "docs", "messages": messages})
	if err != nil {
		return err
	}
	text := fmt.Sprint(answer["choices"])
	if status != http.StatusOK || !strings.Contains(text, found) || strings.Contains(text, "Say nothing.") {
		return fmt.Errorf("the model docs answers %d %v, want %q in it", status, answer, found)
	}
	return streamed(ctx, streams.Script{Tokens: 5}.Chat(p.URL+"/v1/chat/completions", "docs"))
}

// ragAnswer is what the model says that it was told.
func (p *Place) ragAnswer(ctx context.Context) (string, error) {
	call := streams.Call{URL: p.URL + "/answers", Body: []byte(
		`{"passages": 2, "question": "[[mock {\"text\": \"I was told: \", \"echoRole\": \"system\"}]] foxes"}`)}
	got := streams.Stream(ctx, streams.NewClient(), call, nil)
	if got.Ending != streams.Done {
		return "", fmt.Errorf("ask %s: %s", call.URL, got)
	}
	if got.Tokens < 2 {
		return "", errors.New("the answer came at once, want tokens")
	}
	return got.Text, nil
}
