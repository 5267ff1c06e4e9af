package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
)

var somewhere = llm.Place{1, 2, 3, 4, 5, 6, 7, 250}

// idOf is the id by which clients know a response.
func idOf(own string) string {
	var id string
	_ = json.Unmarshal(keptID(somewhere, []byte(`"`+own+`"`)), &id)
	return id
}

// An id names the place and the upstream's own id, in characters that every client and database accepts.
func TestIDsOfResponses(t *testing.T) {
	for _, own := range []string{"resp_1", "resp_" + strings.Repeat("0a", 24), "chatcmpl-é\n", strings.Repeat("x", maxOwnID)} {
		quoted, _ := json.Marshal(own)
		id := strings.Trim(string(keptID(somewhere, quoted)), `"`)
		if !strings.HasPrefix(id, "resp_") || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%q is known as %q", own, id)
		}
		if at, read := readKeptID(id); at != somewhere || read != own {
			t.Errorf("%q is read as %q at %v", id, read, at)
		}
	}
	for _, stays := range []string{`""`, `null`, `7`, `{}`, `"` + strings.Repeat("x", maxOwnID+1) + `"`} {
		if got := keptID(somewhere, []byte(stays)); got != nil {
			t.Errorf("%s becomes %s", stays, got)
		}
	}
	if got := keptID(llm.Place{}, []byte(`"resp_1"`)); got != nil {
		t.Errorf("without a place an id becomes %s", got)
	}
	known := idOf("resp_1")
	for _, others := range []string{
		"", "resp_", "resp_1", "resp_" + strings.Repeat("0a", 24), "resp_68f5c2d2-90a7-4d6e-8d35-0a4e52f6a1b7", strings.TrimPrefix(known, "resp_"),
		known[:17], "resp_B" + known[6:], known + "=", known + " ", "resp_AQECAwQFBgf6_w",
		strings.TrimSuffix(idOf("resp_11"), "Q") + "R", // the last bits are of no byte
	} {
		if at, own := readKeptID(others); at != (llm.Place{}) || own != "" {
			t.Errorf("%q is read as %q at %v", others, own, at)
		}
	}
}

// Ids are replaced where the document has its own, and every other byte stays.
func TestWholeResponsesNameTheirPlace(t *testing.T) {
	for answer, want := range map[string]string{
		`{"id":"resp_1","model":"real","output":[{"id":"msg_1"}],"previous_response_id":null}`: `{"id":"ID","model":"m","output":[{"id":"msg_1"}],"previous_response_id":null}`,
		`{"previous_response_id" : "resp_0" ,"output":[], "model":"real","id":"resp_1"}`:       `{"previous_response_id" : "BEFORE" ,"output":[], "model":"m","id":"ID"}`,
		`{"id":7,"output":[],"metadata":{"id":"resp_1","previous_response_id":"resp_0"}}`:      `{"id":7,"output":[],"metadata":{"id":"resp_1","previous_response_id":"resp_0"}}`,
		`{"id":"resp_1","id":"resp_\u0031","output":[]}`:                                       `{"id":"ID","id":"ID","output":[]}`,
	} {
		want = strings.NewReplacer("ID", idOf("resp_1"), "BEFORE", idOf("resp_0")).Replace(want)
		got, err := Responses{}.At(somewhere).Rename([]byte(answer), "m", &llm.Used{})
		if err != nil || string(got) != want {
			t.Errorf("%s becomes %s (%v), want %s", answer, got, err, want)
		}
	}
}

// Only the ids of the response in an event are replaced, not those of other things in it.
func TestEventsNameTheirPlace(t *testing.T) {
	const stream = `event: response.created` + "\n" + `data: {"type":"response.created","id":"evt_1","response":{"id":"resp_1","model":"real","previous_response_id":"resp_0"}}` + "\n\n" +
		`data: {"type":"response.output_item.added","item":{"id":"resp_1","type":"message"}}` + "\r\n\r\n" +
		`data: {"type":"response.output_text.delta","delta":"resp_1"}` + "\n\n" +
		"data: {\"type\":\"response.completed\",\ndata: \"response\":{\"model\":\"real\",\ndata: \"id\":\"resp_1\"}}\n\n"
	want := strings.NewReplacer(
		`"response":{"id":"resp_1"`, `"response":{"id":"`+idOf("resp_1")+`"`, `"resp_0"`, `"`+idOf("resp_0")+`"`, "real", "m",
		`data: "id":"resp_1"`, `data: "id":"`+idOf("resp_1")+`"`,
	).Replace(stream)
	if got, _ := through(t, llm.NewTap(Responses{}.At(somewhere), llm.TapOptions{Alias: "m"}), stream); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The upstream gets its own id, no matter where the member is; an id of another server stays as it is.
func TestRequestsThatContinue(t *testing.T) {
	known := idOf("resp_1")
	for _, tt := range []struct {
		body, want string
		at         llm.Place
		continues  bool
	}{
		{`{"model":"m","previous_response_id":"` + known + `","input":"hi"}`, `{"model":"real","previous_response_id":"resp_1","input":"hi"}`, somewhere, true},
		{`{"previous_response_id": "` + known + `" ,"input":"m", "model":"m"}`, `{"previous_response_id": "resp_1" ,"input":"m", "model":"real"}`, somewhere, true},
		{`{"model":"m","previous_response_id":"resp_9"}`, `{"model":"real","previous_response_id":"resp_9"}`, llm.Place{}, true},
		{`{"model":"m","previous_response_id":null}`, `{"model":"real","previous_response_id":null}`, llm.Place{}, false},
		{`{"model":"m","previous_response_id":""}`, `{"model":"real","previous_response_id":""}`, llm.Place{}, false},
		{`{"model":"m"}`, `{"model":"real"}`, llm.Place{}, false},
	} {
		r, wrong := Responses{}.ReadRequest([]byte(tt.body))
		if wrong != nil {
			t.Fatal(wrong)
		}
		if got := string(r.WithModel("real").Joined()); got != tt.want {
			t.Errorf("%s becomes %s, want %s", tt.body, got, tt.want)
		}
		at, continues := r.(llm.Continuing).Continues()
		if at != tt.at || continues != tt.continues {
			t.Errorf("%s continues what is kept at %v: %v; want %v, %v", tt.body, at, continues, tt.at, tt.continues)
		}
	}
	for body, param := range map[string]string{
		`{"model":"m","previous_response_id":7}`:        "previous_response_id",
		`{"model":"m","previousResponseId":"resp_1"}`:   "previousResponseId",
		`{"model":"m","Previous_Response_ID":"resp_1"}`: "Previous_Response_ID",
	} {
		if _, wrong := (Responses{}).ReadRequest([]byte(body)); wrong == nil || wrong.Param != param {
			t.Errorf("%s: %v", body, wrong)
		}
	}
	r, _ := Responses{}.ReadRequest([]byte(`{"model":"m","previous_response_id":"resp_9"}`))
	const want = `{"error":{"message":"Previous response with id \"resp_9\" not found.","type":"invalid_request_error",` +
		`"param":"previous_response_id","code":"previous_response_not_found"}}`
	if reply := problem.OpenAI.Reply(r.(llm.Continuing).Lost()); reply.Status != 400 || string(reply.Body) != want {
		t.Errorf("%d %s", reply.Status, reply.Body)
	}
}
