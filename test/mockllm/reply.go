package mockllm

import (
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
	texts   []string // nil: the default ones
	count   int
	id      string
	created int64
	model   string // as JSON
}

func newReply(req chatRequest, script Script, prompt string, serial int64) *reply {
	rep := &reply{
		request: req, script: script, count: script.Tokens,
		id: "chatcmpl-mock-" + strconv.FormatInt(serial, 10), created: time.Now().Unix(), model: string(quote(req.Model)),
	}
	text := script.Text
	if script.Echo {
		text = prompt
		if _, rest, err := cutScript(prompt); err == nil {
			text = rest
		}
	}
	if text != "" || script.Echo {
		rep.texts = strings.SplitAfter(text, " ")
		rep.count = len(rep.texts)
	}
	return rep
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
	if i < r.count-1 {
		dst = append(dst, ' ')
	}
	return append(dst, '"')
}

// text returns all tokens as one.
func (r *reply) text() string {
	if r.texts != nil {
		return strings.Join(r.texts, "")
	}
	var b strings.Builder
	for i := range r.count {
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
		prompt += len(strings.Fields(string(m.Content)))
	}
	return usage{PromptTokens: prompt, CompletionTokens: r.count, TotalTokens: prompt + r.count}
}

// head is the beginning of a reply's objects.
func (r *reply) head(object string) string {
	created := strconv.FormatInt(r.created, 10)
	return `{"id":"` + r.id + `","object":"` + object + `","created":` + created + `,"model":` + r.model
}
