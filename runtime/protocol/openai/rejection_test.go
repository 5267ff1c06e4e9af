package openai

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseRejection(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want Rejection
	}{
		"OpenAI": {
			`{"error":{"message":"Too long.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
			Rejection{"Too long.", "invalid_request_error", "messages", []byte(`"context_length_exceeded"`)},
		},
		"nulls":             {`{"error":{"message":"m","type":null,"param":null,"code":null}}`, Rejection{Message: "m", Code: []byte("null")}},
		"vLLM":              {`{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}`, Rejection{"m", "BadRequestError", "", []byte("400")}},
		"vLLM, later":       {`{"error":{"message":"m","type":"BadRequestError","param":"n","code":400}}`, Rejection{"m", "BadRequestError", "n", []byte("400")}},
		"a text":            {`{"error":"m"}`, Rejection{Message: "m"}},
		"TGI":               {`{"error":"m","error_type":"validation"}`, Rejection{Message: "m", Type: "validation"}},
		"a name and a text": {`{"status":400,"error":"Bad Request","message":"m","path":"/x"}`, Rejection{Message: "m"}},
		"Anthropic":         {`{"type":"error","error":{"type":"invalid_request_error","message":"m"}}`, Rejection{Message: "m", Type: "invalid_request_error"}},
		"FastAPI":           {`{"detail":"Not Found"}`, Rejection{Message: "Not Found"}},
		"FastAPI, violations": {
			`{"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required"},{"type":"x","loc":["body"],"msg":"No"}]}`,
			Rejection{"messages[0].role: Field required; No", "missing", "messages[0].role", nil},
		},
		"FastAPI, an object":          {`{"detail":{"error":{"message":"m","code":"c"}}}`, Rejection{Message: "m", Code: []byte(`"c"`)}},
		"a message":                   {`{"message":"m"}`, Rejection{Message: "m"}},
		"a message that is an object": {`{"message":{"detail":[{"msg":"m","loc":["body","n"]}]}}`, Rejection{Message: "n: m", Param: "n"}},
		"a list":                      {`[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]`, Rejection{Message: "m", Code: []byte("400")}},
		"errors":                      {`{"errors":[{"message":"m","code":7003},{"message":"o"}]}`, Rejection{Message: "m; o", Code: []byte("7003")}},
		"a long list":                 {`[` + strings.Repeat(`{"message":"m"},`, 20) + `1]`, Rejection{Message: strings.Repeat("m; ", maxListed-1) + "m"}},
		"a problem":                   {`{"type":"about:blank","title":"t","detail":"m"}`, Rejection{Message: "m", Type: "about:blank"}},
		"a title":                     {`{"title":"t"}`, Rejection{Message: "t"}},
		"only text":                   {`"m"`, Rejection{Message: "m"}},
		"a mark":                      {"\xef\xbb\xbf" + `{"error":"m"}`, Rejection{Message: "m"}},
		"twice":                       {`{"error":"a","error":{"message":"m","message":"n"}}`, Rejection{Message: "n"}},
		"half a character":            {`{"error":"m\ud83c"}`, Rejection{Message: "m\uFFFD"}},
		"not UTF-8":                   {"{\"error\":\"m\xff\"}", Rejection{Message: "m\uFFFD"}},
		"an odd code":                 {`{"error":{"message":"m","code":{"a":1},"type":5,"param":["x"]}}`, Rejection{Message: "m"}},
		"a code without":              {`{"error":{"code":"context_length_exceeded"}}`, Rejection{Code: []byte(`"context_length_exceeded"`)}},
		"HTML":                        {`<html>400 Bad Request</html>`, Rejection{}},
		"cut":                         {`{"error":{"message":"m`, Rejection{}},
		"more":                        {`{"error":"m"}{`, Rejection{}},
		"nothing":                     {``, Rejection{}},
		"null":                        {`null`, Rejection{}},
		"a number":                    {`5`, Rejection{}},
		"deep":                        {strings.Repeat(`{"error":`, 40) + `"m"` + strings.Repeat(`}`, 40), Rejection{}},
		"very deep":                   {strings.Repeat(`[`, 60_000), Rejection{}},
	} {
		got := ParseRejection([]byte(tt.body))
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
