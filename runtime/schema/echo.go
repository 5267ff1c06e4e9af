package schema

import (
	"encoding/json"

	"github.com/llmservice/llmservice/runtime/problem"
)

// MaxInputBytes is the size, about that of its JSON, up to which a violation repeats an input. Many violations can be about
// one large object, so the answer would otherwise outgrow the request.
const MaxInputBytes = 4 << 10

// echo repeats in each violation what was sent at its place, of which the first steps, prefix, lead to the value sent: the
// object in which a member is missing, the name that is wrong, or otherwise the value itself.
func echo(found []problem.Violation, sent any, prefix int) {
	for i := range found {
		if input, ok := inputAt(sent, found[i].Loc[prefix:], found[i].Type); ok {
			found[i].Input = shown(input)
		}
	}
}

func inputAt(sent any, steps []any, kind string) (any, bool) {
	if kind == answers["required"].kind && len(steps) > 0 {
		return lookUp(sent, steps[:len(steps)-1])
	}
	if v, ok := lookUp(sent, steps); ok {
		return v, true
	}
	if n := len(steps); n > 1 && steps[n-1] == keyStep {
		return steps[n-2], true
	}
	return nil, false
}

func lookUp(v any, steps []any) (any, bool) {
	for _, step := range steps {
		switch at := step.(type) {
		case int:
			list, _ := v.([]any)
			if at >= len(list) {
				return nil, false
			}
			v = list[at]
		case string:
			object, _ := v.(map[string]any)
			member, ok := object[at]
			if !ok {
				return nil, false
			}
			v = member
		}
	}
	return v, true
}

// shown gives an input as violations hold it, or nil for one that is too large.
func shown(input any) *any {
	if size(input, MaxInputBytes) < 0 {
		return nil
	}
	return &input
}

// size subtracts about as many bytes as a value's JSON has from those left, and stops below zero.
func size(v any, left int) int {
	switch v := v.(type) {
	case string:
		return left - len(v) - len(`""`)
	case json.Number:
		return left - len(v)
	case map[string]any:
		for name, member := range v {
			if left = size(member, left-len(name)-len(`"":,`)); left < 0 {
				return left
			}
		}
	case []any:
		for _, item := range v {
			if left = size(item, left-len(`,`)); left < 0 {
				return left
			}
		}
	}
	return left - len(`{}`)
}

// echoOf is what FastAPI shows as the input of a text that could not be read: nothing, or an empty object.
func echoOf(v problem.Violation) *any {
	if v.Type == problem.TypeJSONInvalid {
		return shown(map[string]any{})
	}
	return shown(nil)
}
