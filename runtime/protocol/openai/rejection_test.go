package openai

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llmservice/llmservice/runtime/llm"
)

func TestParseRejection(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want llm.Rejection
	}{
		"OpenAI": {
			`{"error":{"message":"Too long.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
			llm.Rejection{Message: "Too long.", Type: "invalid_request_error", Param: "messages", Code: []byte(`"context_length_exceeded"`)},
		},
		"nulls":             {`{"error":{"message":"m","type":null,"param":null,"code":null}}`, llm.Rejection{Message: "m", Code: []byte("null")}},
		"vLLM":              {`{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}`, llm.Rejection{Message: "m", Type: "BadRequestError", Param: "", Code: []byte("400")}},
		"vLLM, later":       {`{"error":{"message":"m","type":"BadRequestError","param":"n","code":400}}`, llm.Rejection{Message: "m", Type: "BadRequestError", Param: "n", Code: []byte("400")}},
		"a text":            {`{"error":"m"}`, llm.Rejection{Message: "m"}},
		"TGI":               {`{"error":"m","error_type":"validation"}`, llm.Rejection{Message: "m", Type: "validation"}},
		"a name and a text": {`{"status":400,"error":"Bad Request","message":"m","path":"/x"}`, llm.Rejection{Message: "m"}},
		"Anthropic":         {`{"type":"error","error":{"type":"invalid_request_error","message":"m"}}`, llm.Rejection{Message: "m", Type: "invalid_request_error"}},
		"FastAPI":           {`{"detail":"Not Found"}`, llm.Rejection{Message: "Not Found"}},
		"FastAPI, violations": {
			`{"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required"},{"type":"x","loc":["body"],"msg":"No"}]}`,
			llm.Rejection{Message: "messages[0].role: Field required; No", Type: "missing", Param: "messages[0].role"},
		},
		"FastAPI, an object":          {`{"detail":{"error":{"message":"m","code":"c"}}}`, llm.Rejection{Message: "m", Code: []byte(`"c"`)}},
		"a message":                   {`{"message":"m"}`, llm.Rejection{Message: "m"}},
		"a message that is an object": {`{"message":{"detail":[{"msg":"m","loc":["body","n"]}]}}`, llm.Rejection{Message: "n: m", Param: "n"}},
		"a list":                      {`[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]`, llm.Rejection{Message: "m", Code: []byte("400")}},
		"errors":                      {`{"errors":[{"message":"m","code":7003},{"message":"o"}]}`, llm.Rejection{Message: "m; o", Code: []byte("7003")}},
		"a long list":                 {`[` + strings.Repeat(`{"message":"m"},`, 20) + `1]`, llm.Rejection{Message: strings.Repeat("m; ", maxListed-1) + "m"}},
		"a problem":                   {`{"type":"about:blank","title":"t","detail":"m"}`, llm.Rejection{Message: "m", Type: "about:blank"}},
		"a title":                     {`{"title":"t"}`, llm.Rejection{Message: "t"}},
		"only text":                   {`"m"`, llm.Rejection{Message: "m"}},
		"a mark":                      {"\xef\xbb\xbf" + `{"error":"m"}`, llm.Rejection{Message: "m"}},
		"twice":                       {`{"error":"a","error":{"message":"m","message":"n"}}`, llm.Rejection{Message: "n"}},
		"half a character":            {`{"error":"m\ud83c"}`, llm.Rejection{Message: "m\uFFFD"}},
		"not UTF-8":                   {"{\"error\":\"m\xff\"}", llm.Rejection{Message: "m\uFFFD"}},
		"an odd code":                 {`{"error":{"message":"m","code":{"a":1},"type":5,"param":["x"]}}`, llm.Rejection{Message: "m"}},
		"a code without":              {`{"error":{"code":"context_length_exceeded"}}`, llm.Rejection{Code: []byte(`"context_length_exceeded"`)}},
		"HTML":                        {`<html>400 Bad Request</html>`, llm.Rejection{}},
		"cut":                         {`{"error":{"message":"m`, llm.Rejection{}},
		"more":                        {`{"error":"m"}{`, llm.Rejection{}},
		"nothing":                     {``, llm.Rejection{}},
		"null":                        {`null`, llm.Rejection{}},
		"a number":                    {`5`, llm.Rejection{}},
		"deep":                        {strings.Repeat(`{"error":`, 40) + `"m"` + strings.Repeat(`}`, 40), llm.Rejection{}},
		"very deep":                   {strings.Repeat(`[`, 60_000), llm.Rejection{}},
	} {
		got := (Dialect{}).ReadRejection([]byte(tt.body))
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
