package program

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// known is the work that checks of literals, constants and types may take together: an operator does them for many tenants.
// Mistakes that are left when it is used up show in requests.
type known struct {
	work      *schema.WorkBudget
	constants *expr.CostBudget
}

func newKnown(ctx context.Context) known {
	return known{schema.NewWorkBudget(ctx), expr.NewCostBudget(expr.MaxCost, expr.MaxOutput)}
}

// satisfies checks what is known of a value before any request against what it has to satisfy.
func (v *validator) satisfies(path string, known any, s *schema.Schema, of string) {
	if s == nil {
		return
	}
	var places []string
	messages := map[string]string{}
	for _, wrong := range s.CheckKnown(v.known.work, known) {
		place := path + field(wrong.Loc)
		if before, ok := messages[place]; ok { // another form of the value
			messages[place] = before + ", or: " + wrong.Msg
			continue
		}
		places, messages[place] = append(places, place), wrong.Msg
	}
	for _, place := range places {
		v.addf(place, "%s never allows this value: %s", of, messages[place])
	}
}

// field gives a loc as the paths of fields are written, to stand after the path of what it leads through.
func field(loc []any) string {
	var at jsontext.Pointer
	for _, step := range loc {
		switch step := step.(type) {
		case string:
			at = at.AppendToken(step)
		case int:
			at = at.AppendToken(strconv.Itoa(step))
		}
	}
	return (&expr.Error{Path: string(at)}).Field()
}

// noControls checks that a header's values can be sent (RFC 9110, section 5.5).
func (v *validator) noControls(path string, headers *expr.Tree) {
	headers.Texts(func(at string, column int, text string) {
		if i := strings.IndexFunc(text, isControl); i >= 0 {
			v.addf(path+(&expr.Error{Path: at}).Field(),
				"column %d: has control characters, such as a line break; want printable ones, spaces and tabs", column)
		}
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// satisfiesOurs checks what is known of a value against a schema of the gateway's own.
func (v *validator) satisfiesOurs(path string, known any, ours func() (*schema.Schema, error), of string) {
	s, err := ours()
	if err != nil {
		v.addf(path, "%v", err)
		return
	}
	v.satisfies(path, known, s, of)
}

// fits checks the length of a list that is the same for all requests.
func (v *validator) fits(path string, f *ForEach) {
	if f.Items == nil {
		return
	}
	value, _ := f.Items.Constant(v.known.constants)
	if list, ok := value.([]any); ok && len(list) > f.MaxItems {
		v.addf(path, "always has %d items; want at most maxItems, which is %d", len(list), f.MaxItems)
	}
}

func compiled(raw string) func() (*schema.Schema, error) {
	return sync.OnceValues(func() (*schema.Schema, error) { return schema.Compile([]byte(raw)) })
}

var (
	// textsSchema is what an embeddings step is asked about.
	textsSchema = compiled(`{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}`)

	// messagesSchema is what the gateway itself asks of messages.
	messagesSchema = compiled(`{"type":"array","items":{"type":"object","required":["role"],
		"properties":{"role":{"enum":["system","developer","user","assistant","tool"]}},
		"if":{"properties":{"role":{"const":"assistant"}}},
		"then":{"properties":{"content":{"anyOf":[{"$ref":"#/$defs/content"},{"type":"null"}]},
			"tool_calls":{"type":["array","null"],"items":{"type":"object"}}}},
		"else":{"required":["content"],"properties":{"content":{"$ref":"#/$defs/content"},"tool_calls":{"type":"null"}},
			"if":{"properties":{"role":{"const":"tool"}}},
			"then":{"required":["tool_call_id"],"properties":{"tool_call_id":{"type":"string"}}}}},
		"$defs":{"content":{"anyOf":[{"type":"string"},
			{"type":"array","items":{"type":"object","required":["type"],"properties":{"type":{"type":"string"}}}}]}}}`)

	// parametersSchema has the members that have one type in all APIs of the kind. Others are the upstream's to judge.
	parametersSchema = compiled(`{"type":"object","properties":{
		"temperature":{"type":["number","null"]},"top_p":{"type":["number","null"]},
		"presence_penalty":{"type":["number","null"]},"frequency_penalty":{"type":["number","null"]},
		"max_tokens":{"type":["integer","null"]},"max_completion_tokens":{"type":["integer","null"]},
		"seed":{"type":["integer","null"]},"top_logprobs":{"type":["integer","null"]},"dimensions":{"type":["integer","null"]},
		"logprobs":{"type":["boolean","null"]},"parallel_tool_calls":{"type":["boolean","null"]},
		"logit_bias":{"type":["object","null"]},"stop":{"type":["string","array","null"]},"user":{"type":["string","null"]}}}`)
)
