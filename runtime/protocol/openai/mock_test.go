package openai_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
	"github.com/llmservice/llmservice/test/mockllm"
)

// It asks a server for the same answer both ways, over HTTP.
func TestStreamedAndWholeAreTheSame(t *testing.T) {
	mock := mockllm.New(mockllm.Options{})
	server := httptest.NewServer(mock)
	t.Cleanup(func() {
		mock.Close()
		server.Close()
	})
	for name, script := range map[string]string{
		"default":    `{}`,
		"text":       `{"text":"a \"quoted\"\n\ttext, é","crlf":true,"splitBytes":3}`,
		"tool calls": `{"toolCalls":[{"name":"find","arguments":{"q":"é \"x\""}},{"name":"now"}]}`,
		"both":       `{"text":"wait ","toolCalls":[{"name":"find","arguments":"no JSON"}]}`,
		"cut off":    `{"tokens":500}`,
		"JSON":       `{"json":{"answer":[1,2,3]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			chat := llm.Chat{
				Messages: []llm.Message{{Role: "user", Content: "[[mock " + script + "]] hi"}},
				Tools:    []llm.Tool{{Name: "find", Parameters: jsontext.Value(`{"type":"object"}`)}, {Name: "now"}},
				Stream:   false, IncludeUsage: true, MaxTokens: 100,
			}
			want, err := openai.Dialect{}.ReadCompletion(ask(t, server, &chat))
			if err != nil {
				t.Fatal(err)
			}
			chat.Stream = true
			got := collect(t, ask(t, server, &chat))
			// The server's message has members without content, such as a null refusal.
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(llm.Completion{}, "Message")); diff != "" {
				t.Errorf("(-whole +streamed):\n%s", diff)
			}
			if want.Tokens.Total == 0 || (want.Text == "" && want.ToolCalls == nil) {
				t.Errorf("the answer is empty: %+v", want)
			}
			chat.Messages = append(chat.Messages, got.Turn())
			ask(t, server, &chat)
		})
	}
}

func TestEmbeddingsOverHTTP(t *testing.T) {
	server := httptest.NewServer(mockllm.New(mockllm.Options{}))
	t.Cleanup(server.Close)
	request := llm.Embeddings{Input: []string{"red fox", "fox red", "stone"}, Parameters: jsontext.Value(`{"dimensions":16}`)}
	asked, err := openai.Dialect{}.AskEmbeddings(&request, "m")
	if err != nil {
		t.Fatal(err)
	}
	got, err := openai.Dialect{}.ReadVectors(post(t, server, asked), 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.Vectors[0], got.Vectors[1]); diff != "" || len(got.Vectors[2]) != 16 || got.Tokens.Prompt != 5 {
		t.Errorf("%+v", got)
	}
}

func ask(t *testing.T, server *httptest.Server, chat *llm.Chat) []byte {
	t.Helper()
	asked, err := openai.Dialect{}.AskChat(chat, "m")
	if err != nil {
		t.Fatal(err)
	}
	return post(t, server, asked)
}

func post(t *testing.T, server *httptest.Server, asked *llm.Request) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1"+asked.Path, bytes.NewReader(asked.Body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", resp.StatusCode, answer, err)
	}
	return answer
}

func collect(t *testing.T, stream []byte) *llm.Completion {
	t.Helper()
	parser := wire.NewParser(1 << 20)
	if err := parser.Write(stream); err != nil {
		t.Fatal(err)
	}
	collector := llm.NewCollector(func(int) error { return nil })
	tap := llm.NewTap(openai.Dialect{}, llm.TapOptions{Collector: collector})
	var last relay.EventKind
	for f, ok := parser.Next(); ok; f, ok = parser.Next() {
		_, last = tap.Frame(nil, &f)
	}
	if last != relay.Done || collector.Err() != nil {
		t.Fatalf("ended with %v, %v", last, collector.Err())
	}
	return collector.Completion()
}
