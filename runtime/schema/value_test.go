package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/pattern"
)

func TestCheckValue(t *testing.T) {
	s := mustCompile(t, `{"type":"object","properties":{"n":{"type":"integer","maximum":18446744073709551614},"f":{"type":"number"},"l":{"items":{"type":"string"}},"d":{"default":1}}}`)
	tests := map[string]struct{ value, want any }{
		"as decoded":   {map[string]any{"n": int64(1), "f": 0.5, "l": []any{"a"}, "x": nil, "y": true}, map[string]any{"n": int64(1), "f": 0.5, "l": []any{"a"}, "x": nil, "y": true, "d": int64(1)}},
		"int":          {map[string]any{"n": 1}, map[string]any{"n": int64(1), "d": int64(1)}},
		"uint64":       {map[string]any{"n": uint64(1), "f": uint64(math.MaxUint64)}, map[string]any{"n": int64(1), "f": 18446744073709551616.0, "d": int64(1)}},
		"json.Number":  {map[string]any{"n": json.Number("7"), "f": json.Number("1e2")}, map[string]any{"n": int64(7), "f": 100.0, "d": int64(1)}},
		"whole double": {map[string]any{"n": 3.0}, map[string]any{"n": 3.0, "d": int64(1)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, vs, _ := s.CheckValue(t.Context(), tt.value, "response")
			if diff := cmp.Diff(tt.want, got); diff != "" || vs != nil {
				t.Error(diff, lines(t, vs))
			}
		})
	}
}

func TestCheckValueRefuses(t *testing.T) {
	cycle := map[string]any{}
	cycle["c"] = cycle
	wide := map[string]any{}
	for i := range MaxObjectKeys + 1 {
		wide[fmt.Sprint(i)] = nil
	}
	nested := func(n int) any {
		var v any
		for range n {
			v = []any{v}
		}
		return v
	}
	unreadable := func(reason string) string {
		return fmt.Sprintf(`{"type":"json_invalid","loc":["steps","a"],"msg":"JSON decode error","ctx":{"error":%q}}`, reason)
	}
	tests := map[string]struct {
		value any
		want  string
	}{
		"type":           {map[string]any{"n": true}, `{"type":"int_type","loc":["steps","a","n"],"msg":"Input should be a valid integer"}`},
		"exactly":        {map[string]any{"n": uint64(math.MaxUint64)}, `{"type":"less_than_equal","loc":["steps","a","n"],"msg":"Input should be less than or equal to 18446744073709551614","ctx":{"le":18446744073709551614}}`},
		"no number":      {math.NaN(), unreadable("Number out of range")},
		"infinite":       {[]any{math.Inf(1)}, unreadable("Number out of range")},
		"absurd number":  {json.Number("1e999999999"), unreadable("Number out of range")},
		"no JSON number": {json.Number("0x1p3"), unreadable("Number out of range")},
		"bytes":          {[]byte("x"), unreadable("Not a JSON value")},
		"cycle":          {cycle, unreadable("More than 64 levels deep")},
		"too wide":       {wide, unreadable("More than 10000 members in an object")},
		"too deep":       {nested(MaxBodyDepth + 1), unreadable("More than 64 levels deep")},
		"too many":       {make([]any, MaxBodyNodes), unreadable("More than 200000 values")},
		"too long":       {strings.Repeat("a", MaxBodyBytes+1), unreadable("More than 16777216 bytes")},
	}
	s := mustCompile(t, `{"properties":{"n":{"type":"integer","maximum":18446744073709551614}}}`)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, vs, _ := s.CheckValue(t.Context(), tt.value, "steps", "a")
			if diff := cmp.Diff(tt.want+"\n", lines(t, vs)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, v := range []any{nested(MaxBodyDepth), make([]any, MaxBodyNodes-1), strings.Repeat("a", MaxBodyBytes)} {
		if _, vs, _ := s.CheckValue(t.Context(), v); vs != nil {
			t.Errorf("at the limit: %v", vs)
		}
	}
}

func TestCheckText(t *testing.T) {
	s := mustCompile(t, `{"type":"object","properties":{"q":{"type":"string"},"n":{"default":3}}}`)
	got, vs, _ := s.CheckText(t.Context(), []byte(`{"q":"a"}`), "arguments")
	if diff := cmp.Diff(any(map[string]any{"q": "a", "n": int64(3)}), got); diff != "" || vs != nil {
		t.Error(diff, vs)
	}
	for text, want := range map[string]string{
		`{"q":1}`: `{"type":"string_type","loc":["arguments","q"],"msg":"Input should be a valid string"}`,
		`{"q"`:    `{"type":"json_invalid","loc":["arguments",4],"msg":"JSON decode error","ctx":{"error":"Expecting ':' delimiter"}}`,
		``:        `{"type":"missing","loc":["arguments"],"msg":"Field required"}`,
	} {
		if _, vs, _ := s.CheckText(t.Context(), []byte(text), "arguments"); lines(t, vs) != want+"\n" {
			t.Errorf("%s: %s", text, lines(t, vs))
		}
	}
}

// TestCaps: each limit is reached, and then exceeded by one.
func TestCaps(t *testing.T) {
	s := mustCompile(t, `{}`)
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":0`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	bodies := map[string]struct{ at, above, reason string }{
		"bytes":   {strings.Repeat(" ", MaxBodyBytes-1) + "1", strings.Repeat(" ", MaxBodyBytes) + "1", "More than 16777216 bytes"},
		"members": {members(MaxObjectKeys), members(MaxObjectKeys + 1), "More than 10000 members in an object"},
	}
	for name, tt := range bodies {
		if _, vs, _ := s.Check(t.Context(), []byte(tt.at)); vs != nil {
			t.Errorf("%s: at the limit: %v", name, vs)
		}
		if _, vs, _ := s.Check(t.Context(), []byte(tt.above)); len(vs) != 1 || vs[0].Ctx["error"] != tt.reason {
			t.Errorf("%s: above it: %v", name, vs)
		}
	}
	deep := func(n int) string { return strings.Repeat(`{"not":`, n-1) + `{}` + strings.Repeat(`}`, n-1) }
	schemas := map[string]struct{ at, above string }{
		"bytes":          {`true` + strings.Repeat(" ", MaxSchemaBytes-4), `true` + strings.Repeat(" ", MaxSchemaBytes-3)},
		"depth":          {deep(MaxSchemaDepth), deep(MaxSchemaDepth + 1)},
		"values":         {`{"enum":[` + strings.Repeat("1,", MaxSchemaNodes-3) + `1]}`, `{"enum":[` + strings.Repeat("1,", MaxSchemaNodes-2) + `1]}`},
		"pattern":        {`{"pattern":"` + strings.Repeat("a", pattern.MaxBytes) + `"}`, `{"pattern":"` + strings.Repeat("a", pattern.MaxBytes+1) + `"}`},
		"name's pattern": {`{"patternProperties":{"` + strings.Repeat("a", pattern.MaxBytes) + `":{}}}`, `{"patternProperties":{"` + strings.Repeat("a", pattern.MaxBytes+1) + `":{}}}`},
	}
	for name, tt := range schemas {
		if _, err := Compile([]byte(tt.at)); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
		if _, err := Compile([]byte(tt.above)); err == nil {
			t.Errorf("%s: nothing wrong above the limit", name)
		}
	}
}
