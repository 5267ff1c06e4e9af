package openai

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
)

// oddities are values that servers put into a message, whole or as the delta of a chunk, and how they are read.
var oddities = map[string]struct {
	message string
	want    llm.Completion
}{
	"a member twice":            {`"content":"no","content":"Tea"`, llm.Completion{Text: "Tea"}},
	"a member twice, deeper":    {`"reasoning":{"a":1,"a":[{"b":1,"b":2}]},"content":"Tea"`, llm.Completion{Text: "Tea"}},
	"a name with an escape":     {`"c\u006fntent":"Tea"`, llm.Completion{Text: "Tea"}},
	"half of a pair":            {`"content":"Tea \ud83c and \udf75"`, llm.Completion{Text: "Tea \uFFFD and \uFFFD"}},
	"half of a pair, elsewhere": {`"reasoning_content":"\ud83c","content":"Tea"`, llm.Completion{Text: "Tea"}},
	"a pair":                    {`"content":"\"\\\/\b\f\n\r\t\u00e9\uD83C\uDF75"`, llm.Completion{Text: "\"\\/\b\f\n\r\té🍵"}},
	"a pair beside a half":      {`"content":"\"\\\/\b\f\n\r\t\u00e9\uD83C\udf75\udf75"`, llm.Completion{Text: "\"\\/\b\f\n\r\té🍵\uFFFD"}},
	"invalid UTF-8":             {"\"content\":\"Tea\xff\\n\"", llm.Completion{Text: "Tea\uFFFD\n"}},
	"Hangul":                    {`"content":"차 \ud83c"`, llm.Completion{Text: "차 \uFFFD"}},
	"parts": {
		`"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Tea"},{"type":"reasoning","text":"hm"},{"type":"reference","reference_ids":[1]},{"text":" is","type":"text"}]`,
		llm.Completion{Text: "Tea is"},
	},
	"parts of other shapes": {`"content":["Tea",1,null,{"type":"text"},{"type":"text","text":null},{"text":" is"},[{}]]`, llm.Completion{Text: "Tea is"}},
	"a part":                {`"content":{"type":"text","text":"Tea"}`, llm.Completion{Text: "Tea"}},
	"a number":              {`"content":7,"refusal":true`, llm.Completion{Text: "7", Refusal: "true"}},
	"objects":               {`"content":{"a":1},"refusal":{}`, llm.Completion{}},
	"arguments as an object": {
		`"tool_calls":[{"id":"1","function":{"name":"f","arguments":{"term": "tea"}}}]`,
		llm.Completion{ToolCalls: []llm.ToolCall{{ID: "1", Name: "f", Arguments: `{"term": "tea"}`}}},
	},
	"arguments of nothing": {
		`"tool_calls":[{"id":"1","function":{"name":"f","arguments":{}}},{"id":"2","function":{"name":"f","arguments":[]}},{"id":"3","function":{"name":"f","arguments":" "}}]`,
		llm.Completion{ToolCalls: []llm.ToolCall{{ID: "1", Name: "f"}, {ID: "2", Name: "f"}, {ID: "3", Name: "f", Arguments: " "}}},
	},
	"half a pair in arguments": {
		`"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a\":\"\ud83c\"}"}}]`,
		llm.Completion{ToolCalls: []llm.ToolCall{{ID: "1", Name: "f", Arguments: "{\"a\":\"\uFFFD\"}"}}},
	},
	"calls of other shapes": {
		`"tool_calls":[1,null,{"index":"0","id":5,"function":{"name":"f","name":"g","arguments":"{}"}},{"index":1.0,"id":{},"function":"h"}]`,
		llm.Completion{ToolCalls: []llm.ToolCall{{ID: "5", Name: "g", Arguments: "{}"}, {}}},
	},
	"one call":      {`"tool_calls":{"id":"1","function":{"name":"f"}}`, llm.Completion{ToolCalls: []llm.ToolCall{{ID: "1", Name: "f"}}}},
	"calls, a word": {`"tool_calls":"none","content":"Tea"`, llm.Completion{Text: "Tea"}},
}

// A value that is not understood is not a failure, and a streamed answer is read like the whole one.
func TestOddities(t *testing.T) {
	for name, tt := range oddities {
		t.Run(name, func(t *testing.T) {
			whole, err := readCompletion([]byte(`{"choices":[{"message":{` + tt.message + `},"finish_reason":"stop"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			collector, kinds := collect(t, 1<<10, `{"choices":[{"delta":{`+tt.message+`},"finish_reason":"stop"}]}`, `[DONE]`)
			if kinds[1] != relay.Done || collector.Err() != nil {
				t.Fatalf("streamed: %v, %v", kinds, collector.Err())
			}
			tt.want.FinishReason = "stop"
			for way, got := range map[string]*llm.Completion{"whole": whole, "streamed": collector.Completion()} {
				if turn := got.Turn(); !turn.JSON().IsValid() {
					t.Errorf("%s: the message cannot be sent back: %q", way, turn.JSON())
				}
				got.Message = nil
				if diff := cmp.Diff(&tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// The message that templates see is the one that is sent back, whether it came whole or in pieces.
func TestTemplatesSeeTheMessage(t *testing.T) {
	for name, tt := range oddities {
		whole, err := readCompletion([]byte(`{"choices":[{"message":{` + tt.message + `}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		collector, _ := collect(t, 1<<10, `{"choices":[{"delta":{`+tt.message+`}}]}`, `[DONE]`)
		for way, got := range map[string]*llm.Completion{"whole": whole, "streamed": collector.Completion()} {
			turn := got.Turn()
			want, got := turn.JSON().Clone(), valueOf(t, got)
			if err := want.Canonicalize(); err != nil || string(want) != got {
				t.Errorf("%s, %s: %s is sent back (%v), templates see %s", name, way, want, err, got)
			}
		}
	}
}

// valueOf is a message as templates see it, as JSON.
func valueOf(t *testing.T, c *llm.Completion) string {
	t.Helper()
	value, err := json.Marshal(c.MessageValue(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := (*jsontext.Value)(&value).Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// If a choice is given twice, the last counts, with everything in it.
func TestTheLastChoicesCount(t *testing.T) {
	for _, part := range []string{"message", "delta"} {
		no, tea := `"`+part+`":{"content":"no","refusal":"no","tool_calls":[{"id":"no"}]}`, `"`+part+`":{"content":"Tea"}`
		for _, doc := range []string{
			`{"choices":[{` + no + `,"finish_reason":"no"},{` + no + `}],"choices":[{` + tea + `}]}`,
			`{"choices":[{` + no + `,` + tea + `}]}`, `{"choices":[{` + no + `,"` + part + `":null,` + tea + `}]}`,
			`{"choices":[7,null,{"index":0,` + strings.Replace(tea, `"Tea"`, `"no","content":"Tea"`, 1) + `}]}`,
		} {
			var got *llm.Completion
			if part == "message" {
				var err error
				if got, err = readCompletion([]byte(doc)); err != nil {
					t.Fatal(err)
				}
			} else {
				c, _ := collect(t, 1<<10, doc)
				got = c.Completion()
			}
			got.Message = nil
			if diff := cmp.Diff(&llm.Completion{Text: "Tea"}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", doc, diff)
			}
		}
	}
}

// The same holds for the values around the message.
func TestOddEnvelopes(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after, choice string
		reason                string
		tokens                llm.Tokens
	}{
		"a byte order mark":       {before: "\xEF\xBB\xBF{"},
		"names given twice":       {before: `{"choices":[],"id":1,"id":"2",`},
		"no error":                {after: `,"error":null}`},
		"an error of no text":     {after: `,"error":""}`},
		"an error of no members":  {after: `,"error":{}}`},
		"an error of no items":    {after: `,"error":[ ]}`},
		"an error that is false":  {after: `,"error":false}`},
		"an error that is 0":      {after: `,"error":0.0}`},
		"an error, then none":     {after: `,"error":"oops","error":null}`},
		"an error, with choices":  {after: `,"errors":"oops","error_type":"x"}`},
		"numbers of Python's":     {after: `,"logprob":-Infinity,"a":[NaN,Infinity,"NaN \" Infinity"]}`},
		"index, a text":           {choice: `"index":"0",`},
		"index, null":             {choice: `"index":null,`},
		"index, an object":        {choice: `"index":{},`},
		"index, a fraction":       {choice: `"index":0.0,`},
		"finish_reason, a number": {choice: `"finish_reason":1,`, reason: "1"},
		"finish_reason, a list":   {choice: `"finish_reason":["stop"],`},
		"finish_reason, empty":    {choice: `"finish_reason":"",`},
		"usage, a text":           {after: `,"usage":"free"}`},
		"usage, a list":           {after: `,"usage":[1]}`},
		"usage, texts":            {after: `,"usage":{"prompt_tokens":"3","completion_tokens":2.0,"total_tokens":null}}`, tokens: llm.Tokens{Prompt: 3, Completion: 2, Total: 5}},
		"usage twice":             {after: `,"usage":{"total_tokens":1},"usage":{"total_tokens":1,"total_tokens":4,"x":"\ud83c"}}`, tokens: llm.Tokens{Total: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.before == "" {
				tt.before = "{"
			}
			if tt.after == "" {
				tt.after = "}"
			}
			body := func(message string) string {
				return tt.before + `"choices":[{` + tt.choice + `"` + message + `":{"content":"Tea"}}]` + tt.after
			}
			whole, err := readCompletion([]byte(body("message")))
			if err != nil {
				t.Fatal(err)
			}
			collector, kinds := collect(t, 1<<10, body("delta"), `[DONE]`)
			if kinds[1] != relay.Done {
				t.Fatalf("streamed: %v", kinds)
			}
			for way, got := range map[string]*llm.Completion{"whole": whole, "streamed": collector.Completion()} {
				if got.Text != "Tea" || got.FinishReason != tt.reason || got.Tokens != tt.tokens {
					t.Errorf("%s: %+v", way, got)
				}
				if got.Usage != nil && !got.Usage.IsValid() {
					t.Errorf("%s: usage %s", way, got.Usage)
				}
			}
			if got, err := (Dialect{}).Rename([]byte(body("message")), "alias", &llm.Used{}); err != nil || string(got) != body("message") {
				t.Errorf("relayed as %q, %v", got, err)
			}
		})
	}
}

// A server may cut a text between the two escapes of one character.
func TestHalvesOfCharacters(t *testing.T) {
	for name, tt := range map[string]struct{ deltas, want []string }{
		"joined":                  {[]string{`"content":"a\ud83c"`, `"content":"\udf75b"`}, []string{"<a>", "<🍵b>", "done"}},
		"joined over a silence":   {[]string{`"content":"\ud83c"`, `"reasoning":"x"`, `"content":""`, `"content":"\udf75"`}, []string{"", "", "", "<🍵>", "done"}},
		"joined thrice":           {[]string{`"content":"\ud83c"`, `"content":"\udf75\ud83c"`, `"content":"\udf75"`}, []string{"", "<🍵>", "<🍵>", "done"}},
		"joined from parts":       {[]string{`"content":[{"type":"text","text":"\ud83c"},{"type":"text","text":"\udf75"}]`}, []string{"<🍵>", "done"}},
		"another text follows":    {[]string{`"content":"a\ud83c"`, `"content":"b"`}, []string{"<a>", "<\uFFFDb>", "done"}},
		"another half follows":    {[]string{`"content":"\ud83c"`, `"content":"\ud83c\udf75"`}, []string{"", "<\uFFFD🍵>", "done"}},
		"the end follows":         {[]string{`"content":"a\ud83c"`}, []string{"<a>", "<\uFFFD>done"}},
		"the second without":      {[]string{`"content":"a"`, `"content":"\udf75"`}, []string{"<a>", "<\uFFFD>", "done"}},
		"a refusal's is not text": {[]string{`"refusal":"\ud83c"`, `"content":"\udf75"`}, []string{"", "<\uFFFD>", "done"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := llm.NewCollector(roomOf(1 << 10))
			tap := newTapWith(llm.TapOptions{Writer: recorded{}, Collector: c})
			var got []string
			for _, chunk := range append(deltas(tt.deltas...), "[DONE]") {
				out, _ := through(t, tap, "data: "+chunk+"\n\n")
				got = append(got, strings.TrimSuffix(out, "  "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
			text := strings.NewReplacer("<", "", ">", "", "done", "").Replace(strings.Join(tt.want, ""))
			if got := c.Completion(); got.Text != text {
				t.Errorf("collected %q, want %q", got.Text, text)
			}
		})
	}
	part := func(arguments string) string {
		return `"tool_calls":[{"index":0,"function":{"arguments":"` + arguments + `"}}]`
	}
	c, _ := collect(t, 1<<10, deltas(part(`\ud83c`), part(`\udf75 \ud83c`), part(`x\udf75`))...)
	if got := c.Completion().ToolCalls[0].Arguments; got != "🍵 \uFFFDx\uFFFD" {
		t.Errorf("arguments %q", got)
	}
}

// They pass if the upstream's bytes pass, and are ignored otherwise.
func TestEventsThatAreNotUnderstood(t *testing.T) {
	for name, frame := range map[string]string{
		"a type":                "event: agent.tool.progress\ndata: {\"tool\":\"search\",\"model\":\"other\"}\n\n",
		"a type and no JSON":    "event: ping\ndata: hello\n\n",
		"a type and no data":    "event: ping\n\n",
		"a type and an error":   "event: ping\ndata: {\"error\":null}\n\n",
		"no data":               "data\n\n",
		"empty data":            "data:\n\n",
		"blanks":                "data: \t \n\n",
		"blanks over lines":     "data:\ndata: \n\n",
		"an id":                 "id: 7\n\n",
		"a retry":               "retry: 100\n\n",
		"an unknown field":      "error: {\"code\":500}\n\n",
		"a comment":             ": OPENROUTER PROCESSING\n\n",
		"null":                  "data: null\n\n",
		"a number":              "data: 1\n\n",
		"a text":                "data: \"x\"\n\n",
		"a list":                "data: [{\"error\":1}]\n\n",
		"no members":            "data: {}\n\n",
		"no choices":            "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
		"choices, null":         "data: {\"choices\":null}\n\n",
		"choices, an object":    "data: {\"choices\":{\"a\":1}}\n\n",
		"choices of no objects": "data: {\"choices\":[null,1,\"x\",[]]}\n\n",
		"a delta, null":         "data: {\"choices\":[{\"delta\":null}]}\n\n",
		"a delta, a text":       "data: {\"choices\":[{\"delta\":\"x\"}]}\n\n",
		"a choice of nothing":   "data: {\"choices\":[{}]}\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			const tea, done = "data: {\"choices\":[{\"delta\":{\"content\":\"Tea\"}}]}\n\n", "data: [DONE]\n\n"
			stream := frame + tea + frame + done
			for way, tap := range map[string]*llm.Tap{"relayed": newTap(""), "renamed": newTap("alias"), "collected": newTapWith(llm.TapOptions{Collector: llm.NewCollector(roomOf(10))})} {
				got, kinds := through(t, tap, stream)
				if got != stream || kinds[0] != relay.Preamble || kinds[1] != relay.Content || kinds[3] != relay.Done {
					t.Errorf("%s: %v, %q", way, kinds, got)
				}
			}
			got, _ := through(t, newTapWith(llm.TapOptions{Writer: recorded{}}), stream)
			if got != "<Tea>done  " {
				t.Errorf("written %q", got)
			}
		})
	}
}

// A chunk may have any type but error, and so may the end.
func TestTypedChunks(t *testing.T) {
	const chunk = "event: chat.completion.chunk\ndata: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Tea\"}}]}\n\n"
	for end := range map[string]bool{
		"data: [DONE]\n\n": true, "data:[DONE] \n\n": true, "data:  [DONE]\t\n\n": true, "event: done\ndata: [DONE]\n\n": true, "data: [DONE]\ndata:\n\n": true,
	} {
		for want, tap := range map[string]*llm.Tap{
			"<Tea>done  ": newTapWith(llm.TapOptions{Writer: recorded{}}),
			strings.ReplaceAll(chunk, `"m"`, `"alias"`) + end: newTap("alias"),
		} {
			got, kinds := through(t, tap, chunk+end)
			if kinds[0] != relay.Content || kinds[1] != relay.Done {
				t.Errorf("%q: %v", end, kinds)
			}
			if got != want {
				t.Errorf("%q: %q, want %q", end, got, want)
			}
		}
	}
}

// The error says which event is wrong, and how, in words of our own.
func TestTapSaysWhatIsBroken(t *testing.T) {
	const good = ": hi\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"Tea\"}}]}\n\ndata:\n\n"
	for _, tt := range []struct{ stream, want string }{
		{good + "data: {\"error\":{\"message\":\"MARK\"}}\n\n", "error_event: chunk 3: the upstream reported an error"},
		{good + "data: {\"error\":\"MARK\",\"choices\":[{}]}\n\n", "error_event: chunk 3: the upstream reported an error"},
		{good + "data: {\"error\":{\"code\":0}}\n\n", "error_event: chunk 3: the upstream reported an error"},
		{good + "event: MARK\ndata: {\"error\":-1}\n\n", "error_event: chunk 3: the upstream reported an error"},
		{good + "event: error\ndata: {\"message\":\"MARK\"}\n\n", "error_event: chunk 3: the upstream sent an event of the type error"},
		{good + "event: error \n\n", "error_event: chunk 3: the upstream sent an event of the type error"},
		{good + "data: MARK\n\n", "malformed: chunk 3: it is not valid JSON at byte 0"},
		{good + "data: {\"MARK\":1}MARK\n\n", "malformed: chunk 3: it is not valid JSON"},
		{good + "data: {\"choices\":[{\"delta\":{\"content\":\"MARK\n\n", "malformed: chunk 3: it is not valid JSON at byte 37"},
		{good + "data: [1,MARK]\n\n", "malformed: chunk 3: it is not valid JSON"},
		{good + "data: {" + strings.Repeat(`"model":"MARK",`, 17) + "\"a\":1}\n\n", "malformed: chunk 3: it names its model and itself more than 16 times"},
		{"data: {\"object\":\"MARK\",\"choices\":null}\n\ndata: [DONE]\n\n", "malformed: chunk 2: the end came before any choice"},
		{"data: [DONE]\n\n", "malformed: chunk 1: the end came before any choice"},
	} {
		for _, tap := range []*llm.Tap{newTap("alias"), newTapWith(llm.TapOptions{Collector: llm.NewCollector(roomOf(100))})} {
			_, kinds := through(t, tap, tt.stream)
			if got := tap.Failure().Error(); kinds[len(kinds)-1] != relay.Broken || got != tt.want {
				t.Errorf("%q: %v, %s; want %s", tt.stream, kinds, got, tt.want)
			}
		}
	}
}

// If the name stands twice, the reader chooses, so neither may be the upstream's.
func TestWithAliasReplacesEachName(t *testing.T) {
	const body = `{"model":"a","choices":[{"model":"x","model":"y","content":7}],"mod\u0065l":["b"], "model" : null }`
	const want = `{"model":"n","choices":[{"model":"x","model":"y","content":7}],"mod\u0065l":"n", "model" : "n" }`
	if got, err := (Dialect{}).Rename([]byte(body), "n", &llm.Used{}); err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if got, _ := through(t, newTap("n"), "id: 1\ndata: "+body+"\nretry: 5\n\n"); got != "id: 1\ndata: "+want+"\nretry: 5\n\n" {
		t.Errorf("streamed: %s", got)
	}
	lines := strings.NewReplacer(",", ",\ndata:", `["b"]`, "[\ndata: \"b\"\r\ndata:]", "{\"", "{\ndata: \"").Replace
	want2 := strings.NewReplacer(",", ",\ndata:", "{\"", "{\ndata: \"").Replace
	if got, _ := through(t, newTap("n"), "id: 1\ndata: "+lines(body)+"\nretry: 5\n\n"); got != "id: 1\ndata: "+want2(want)+"\nretry: 5\n\n" {
		t.Errorf("over several lines: %s", got)
	}
	for _, body := range []string{`{}`, `{"choices":[]}`, `{"choices":null}`, `{"choices":{}}`, `{"choices":[{}],"error":{"a":1}}`, `[]`, ``, `{"choices":[{}]`} {
		if got, err := (Dialect{}).Rename([]byte(body), "n", &llm.Used{}); err == nil {
			t.Errorf("%s passed as %s", body, got)
		}
	}
}

func TestOddEmbeddings(t *testing.T) {
	for name, data := range map[string]string{
		"a byte order mark":   "\xEF\xBB\xBF" + `{"data":[{"embedding":[1]},{"embedding":[2]}]}`,
		"names given twice":   `{"data":1,"data":[{"embedding":[9],"index":1,"index":0,"embedding":[1]},{"embedding":[2],"x":{"y":1,"y":2}}]}`,
		"half of a pair":      `{"model":"\ud83c","data":[{"embedding":[1]},{"embedding":[2]}]}`,
		"an index, a text":    `{"data":[{"embedding":[2],"index":"1"},{"embedding":[1],"index":0.0}]}`,
		"an index, null":      `{"data":[{"embedding":[1],"index":null},{"embedding":[2],"index":null}],"error":""}`,
		"numbers of Python's": `{"data":[{"embedding":[1],"score":NaN},{"embedding":[2]}]}`,
	} {
		got, err := readVectors([]byte(data), 2)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff([][]float64{{1}, {2}}, got.Vectors); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for body, want := range map[string]string{
		`{"data":[{"embedding":[1]},{"embedding":[NaN]}]}`:     "read embeddings: data[1].embedding: want an array of numbers",
		`{"data":[{"embedding":[1]},{"embedding":[null]}]}`:    "read embeddings: data[1].embedding: want an array of numbers",
		`{"data":[{"embedding":[1]},{"embedding":"AACAPw="}]}`: "read embeddings: data[1].embedding: want finite numbers as float32 in base64",
		`{"data":[{"embedding":[1]},7]}`:                       "read embeddings: data[1]: want a JSON object",
		`{"data":[{"embedding":[1]}]}`:                         "read embeddings: 1 of them for 2 texts",
		`{"data":{}}`:                                          "read embeddings: data: want a JSON array",
		`{"object":"list"}`:                                    "read embeddings: data: want a JSON array",
		`{"error":{"message":"MARK"}}`:                         "error_event: the upstream reported an error",
	} {
		if _, err := readVectors([]byte(body), 2); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

// The next turn's server may refuse what this one wrote.
func TestAMessageIsSentBackToStrictReaders(t *testing.T) {
	got, err := readCompletion([]byte(`{"choices":[{"message":{"role":"assistant","content":"\ud83c","x":1,"x":[2.5,12345678901]}}]}`))
	if want := jsontext.Value(`{"content":"` + "\uFFFD" + `","role":"assistant","x":[2.5,12345678901]}`); err != nil {
		t.Error(err)
	} else if turn := got.Turn(); string(turn.JSON()) != string(want) {
		t.Errorf("%s", turn.JSON())
	}
}
