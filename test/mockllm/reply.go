package mockllm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// reply is what a request will be told: its tokens, and the JSON around them,
// of which only the token changes from chunk to chunk.
type reply struct {
	request chatRequest
	script  Script
	texts   []string   // the tokens of the text; nil: the default ones
	words   int        // how many those are
	calls   []callPart // what follows the text
	count   int        // tokens in all, parts of calls included
	finish  string
	id      string
	created int64
	model   string // as JSON
}

// replyID is what the ID of each reply begins with. A number follows.
const replyID = "chatcmpl-mock-"

func newReply(req chatRequest, script Script, serial int64) *reply {
	rep := &reply{
		request: req, script: script, words: script.Tokens,
		id: replyID + strconv.FormatInt(serial, 10), created: time.Now().Unix(), model: string(quote(req.Model)),
	}
	if req.wantsTools() && len(script.ToolCalls) > 0 {
		rep.words = 0
		rep.calls = callParts(script.ToolCalls, &req)
	}
	if texts := script.texts(req.Messages); texts != nil {
		rep.texts, rep.words = texts, len(texts)
	}
	rep.end()
	return rep
}

// end settles where the reply ends, and why.
func (r *reply) end() {
	r.count, r.finish = r.words+len(r.calls), "stop"
	if len(r.calls) > 0 {
		r.finish = "tool_calls"
	}
	for _, limit := range []*int{r.request.MaxTokens, r.request.MaxCompletionTokens} {
		if limit != nil && *limit < r.count {
			r.count, r.finish = *limit, "length"
		}
	}
	r.words = min(r.words, r.count)
	r.calls = r.calls[:r.count-r.words]
	r.finish = cmp.Or(r.script.FinishReason, r.finish)
}

// jsonPiece is how many bytes of JSON make a token.
const jsonPiece = 8

// texts are the tokens of the text that the script asks for; nil for none.
func (s Script) texts(messages []message) []string {
	switch {
	case s.JSON != nil:
		return pieces(compact(s.JSON), jsonPiece)
	case s.Echo:
		return strings.SplitAfter(withoutScript(lastUserMessage(messages)), " ")
	case s.EchoRole != "":
		return strings.SplitAfter(s.Text+said(messages, s.EchoRole), " ")
	case s.Text != "":
		return strings.SplitAfter(s.Text, " ")
	}
	return nil
}

func said(messages []message, role string) string {
	var lines []string
	for _, m := range messages {
		if m.Role == role {
			lines = append(lines, withoutScript(string(m.Content)))
		}
	}
	return strings.Join(lines, "\n")
}

func withoutScript(text string) string {
	if _, rest, err := cutScript(text); err == nil {
		return rest
	}
	return text
}

// pieces cuts text into parts of about size bytes, between runes.
func pieces(text string, size int) []string {
	var parts []string
	begin := 0
	for i := range text {
		if i-begin >= size {
			parts = append(parts, text[begin:i])
			begin = i
		}
	}
	return append(parts, text[begin:])
}

// compact returns a script's JSON, which is known to be some, without spaces.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		panic("mockllm: part of a script is not JSON: " + err.Error())
	}
	return b.String()
}

// quote returns text as a JSON string.
func quote(text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("mockllm: a string is always JSON: " + err.Error())
	}
	return quoted
}

// appendToken appends token i as a JSON string. The default ones need no
// escaping, and none of them is allocated.
func (r *reply) appendToken(dst []byte, i int) []byte {
	if r.texts != nil {
		return append(dst, quote(r.texts[i])...)
	}
	dst = append(dst, `"token-`...)
	dst = strconv.AppendInt(dst, int64(i), 10)
	if i < r.words-1 {
		dst = append(dst, ' ')
	}
	return append(dst, '"')
}

// text returns all tokens of the text as one.
func (r *reply) text() string {
	if r.texts != nil {
		return strings.Join(r.texts[:r.words], "")
	}
	var b strings.Builder
	for i := range r.words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("token-" + strconv.Itoa(i))
	}
	return b.String()
}

// giant is the token of a GiantFrame, as a JSON string.
func (r *reply) giant() []byte {
	return []byte(`"` + strings.Repeat("x", r.script.GiantBytes) + `"`)
}

// due is when token i is to be sent, from the reply's beginning.
func (r *reply) due(i int) time.Duration {
	return time.Duration(r.script.FirstTokenDelay) + time.Duration(i)*time.Duration(r.script.TokenDelay)
}

// faultAt is the number of tokens after which the fault comes.
func (r *reply) faultAt() int {
	return min(r.script.AfterTokens, r.count)
}

// usage is OpenAI's; a prompt has as many tokens as words.
type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

func (r *reply) usage() usage {
	prompt := 0
	for _, m := range r.request.Messages {
		prompt += words(string(m.Content))
	}
	return usage{PromptTokens: prompt, CompletionTokens: r.count, TotalTokens: prompt + r.count}
}

func words(text string) int { return len(strings.Fields(text)) }

// head is the beginning of a reply's objects.
func (r *reply) head(object string) string {
	created := strconv.FormatInt(r.created, 10)
	return `{"id":"` + r.id + `","object":"` + object + `","created":` + created + `,"model":` + r.model
}
