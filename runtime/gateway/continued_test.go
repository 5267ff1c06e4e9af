package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// keeper is a server of the Responses API that keeps its answers, and knows no other's. Its answers say which one it is, and repeat
// the text of all turns.
type keeper struct {
	name  string
	fails atomic.Bool // with a 500

	mu    sync.Mutex
	turns map[string]string // by id
	asked []string          // ids that were to be continued
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Input    string  `json:"input"`
		Previous *string `json:"previous_response_id"`
		Stream   bool    `json:"stream"`
	}
	if k.fails.Load() {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		panic(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	said, previous := asked.Input, "null"
	if asked.Previous != nil {
		k.asked = append(k.asked, *asked.Previous)
		before, known := k.turns[*asked.Previous]
		if !known {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"unknown to `+k.name+`","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}}`)
			return
		}
		said, previous = before+" "+said, `"`+*asked.Previous+`"`
	}
	id := fmt.Sprintf("resp_%s%d", k.name, len(k.turns))
	k.turns[id] = said
	answer := fmt.Sprintf(`{"id":%q,"object":"response","created_at":1,"status":"completed","model":"real","previous_response_id":%s,"output":[{"type":"message","id":"msg_1",`+
		`"status":"completed","role":"assistant","content":[{"type":"output_text","text":%q,"annotations":[]}]}]}`, id, previous, k.name+": "+said)
	if !asked.Stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, happens("response.created", `"response":`+answer)+happens("response.completed", `"response":`+answer))
}

// keepers are servers, and a gateway with one model: its first upstream has all but the last of them as endpoints, in turn, and
// the second has the last one.
func keepers(t *testing.T, names ...string) ([]*keeper, *config.Config, *replica, openai.Client) {
	t.Helper()
	var all []*keeper
	var endpoints []config.Endpoint
	for _, name := range names {
		all = append(all, &keeper{name: name, turns: map[string]string{}})
		endpoints = append(endpoints, config.Endpoint{URL: serve(t, all[len(all)-1]) + "/v1"})
	}
	last := len(endpoints) - 1
	c := assistant(endpoints[0].URL, endpoints[last].URL)
	for i := range c.Upstreams {
		c.Upstreams[i].OpenAI.APIs = config.APIs
		c.Upstreams[i].Ejection = &config.Ejection{Backoff: &config.Backoff{Initial: config.Duration(time.Hour), Max: config.Duration(time.Hour)}}
	}
	c.Upstreams[0].Endpoints, c.Upstreams[0].LoadBalancing = endpoints[:last], config.RoundRobin
	c.Models[0].Weights = []config.Share{{Upstream: "a", Weight: 1}, {Upstream: "b", Weight: 1}}
	r := start(t, c)
	return all, c, r, sdkOf(r)
}

// serves has the replica serve a config.
func (r *replica) serves(c *config.Config) {
	r.t.Helper()
	encoded := encode(r.t, c)
	r.write(delivery.CurrentKey, encoded)
	r.await("the config", func(s report.Status) bool { return s.Revision == delivery.Revision(encoded) })
}

// turn has the model say something, whole or streamed.
func turn(ctx context.Context, c openai.Client, text, previous string, streamed bool) (*responses.Response, error) {
	asked := responses.ResponseNewParams{
		Model: "assistant", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(text)},
	}
	if previous != "" {
		asked.PreviousResponseID = openai.String(previous)
	}
	if !streamed {
		return c.Responses.New(ctx, asked) //nolint:wrapcheck // a test's
	}
	stream := c.Responses.NewStreaming(ctx, asked)
	defer func() { _ = stream.Close() }()
	var began, ended responses.Response
	for stream.Next() {
		switch event := stream.Current(); event.Type {
		case "response.created":
			began = event.Response
		case "response.completed":
			ended = event.Response
		}
	}
	if began.ID != ended.ID {
		return nil, fmt.Errorf("the stream of %q ends as %q", began.ID, ended.ID)
	}
	return &ended, stream.Err() //nolint:wrapcheck // a test's
}

// A conversation goes on at the endpoint that began it, whole or streamed, across reloads of the config and restarts of the
// gateway, whatever the weights say; and the id that its client sends is the one that its client was given.
func TestAResponseIsContinuedWhereItIsKept(t *testing.T) {
	all, c, r, client := keepers(t, "x", "y", "z")
	begun := map[string]string{} // ids by server
	for n := 0; len(begun) < len(all); n++ {
		if n == 1000 {
			t.Fatalf("only these servers were asked: %v", begun)
		}
		got, err := turn(t.Context(), client, "one", "", n%2 == 0)
		if err != nil {
			t.Fatal(err)
		}
		begun[got.OutputText()[:1]] = got.ID
	}
	goesOn := func(client openai.Client) {
		t.Helper()
		for server, id := range begun {
			want := server + ": one"
			for n := range 8 {
				want += " more"
				got, err := turn(t.Context(), client, "more", id, n%2 == 0)
				if err != nil {
					t.Fatalf("after %q: %v", want, err)
				}
				if got.OutputText() != want || got.PreviousResponseID != id || got.ID == id {
					t.Fatalf("%q says %q, and follows %q; want %q", got.ID, got.OutputText(), got.PreviousResponseID, want)
				}
				id = got.ID
			}
		}
	}
	goesOn(client)
	c.Runtime.MaxInFlight = 7
	slices.Reverse(c.Upstreams[0].Endpoints)
	slices.Reverse(c.Models[0].Upstreams)
	r.serves(c)
	goesOn(client)
	again := start(t, c)
	goesOn(sdkOf(again))
	for _, k := range all {
		if i := slices.IndexFunc(k.asked, func(id string) bool { return !strings.HasPrefix(id, "resp_"+k.name) }); i >= 0 {
			t.Errorf("%s was asked to continue %q", k.name, k.asked[i])
		}
	}
}

// refusedWith is how a turn is refused.
func refusedWith(t *testing.T, err error, status int, code, message string) {
	t.Helper()
	wrong, is := err.(*openai.Error) //nolint:errorlint // the SDK returns it as it stands
	if !is || wrong.StatusCode != status || wrong.Code != code || !strings.Contains(wrong.Message, message) {
		t.Errorf("got %v, want %d %s: %s", err, status, code, message)
	}
}

// What cannot be continued is refused at once: nobody else is asked.
func TestWhatCannotBeContinued(t *testing.T) {
	all, c, r, client := keepers(t, "x", "y", "z")
	x, z := all[0], all[2]
	ids := map[string]string{}
	for n := 0; len(ids) < len(all) && n < 1000; n++ {
		got, err := turn(t.Context(), client, "one", "", false)
		if err != nil {
			t.Fatal(err)
		}
		ids[got.OutputText()[:1]] = got.ID
	}
	continues := func(id string, streamed bool) error {
		_, err := turn(t.Context(), client, "more", id, streamed)
		return err
	}
	for _, streamed := range []bool{false, true} {
		// An id that the gateway has not written is the first upstream's to judge, every time.
		for range 8 {
			err := continues("resp_of_somebody", streamed)
			if err == nil || strings.Contains(err.Error(), "unknown to z") {
				t.Errorf("the id of somebody else: %v", err)
			}
			refusedWith(t, err, http.StatusBadRequest, "previous_response_not_found", "unknown to ")
		}
	}
	x.fails.Store(true)
	for range 4 { // x answers with an error until it is left out, and nobody answers in its place
		if err := continues(ids["x"], false); err == nil {
			t.Fatal("another upstream has answered")
		}
	}
	for _, streamed := range []bool{false, true} {
		refusedWith(t, continues(ids["x"], streamed), http.StatusServiceUnavailable, "upstream_unavailable", "keeps the previous response")
		if err := continues(ids["y"], streamed); err != nil {
			t.Errorf("y is well: %v", err)
		}
	}
	c.Models[0].Upstreams, c.Models[0].Weights = []string{"a"}, nil
	r.serves(c)
	for _, streamed := range []bool{false, true} {
		refusedWith(t, continues(ids["z"], streamed), http.StatusBadRequest, "previous_response_not_found", `Previous response with id "resp_`)
	}
	c.Models[0].Upstreams = []string{"a", "b"}
	c.Upstreams[1].OpenAI.APIs = []string{config.APIChatCompletions}
	r.serves(c)
	refusedWith(t, continues(ids["z"], false), http.StatusBadRequest, "previous_response_not_found", "not found")
	z.mu.Lock()
	defer z.mu.Unlock()
	if len(z.asked) > 0 {
		t.Errorf("z was asked to continue %q", z.asked)
	}
}
