package manifest

import (
	"fmt"
	"strings"
	"testing"
)

// TestNamesThatAreReadAsBooleans would answer a member "false" without a word.
func TestNamesThatAreReadAsBooleans(t *testing.T) {
	for _, word := range []string{"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF", "True", "FALSE"} {
		for _, part := range []string{
			"      body: {NAME: 1}\n", "      body: {a: [{NAME: 1}]}\n", "      body:\n        NAME: 1\n", "      body: 1\n      schema: {properties: {NAME: {type: string}}}\n",
		} {
			before, _, _ := strings.Cut(placed, "      body:\n") // which is the last that the file has
			text := before + part
			above, _, _ := strings.Cut(text, "NAME")
			at := fmt.Sprintf("%d:%d: spec.routes[0].response.", strings.Count(above, "\n")+1, len(above)-strings.LastIndex(above, "\n"))
			_, err := Read(t.Context(), []byte(strings.Replace(text, "NAME", word, 1)))
			if err == nil || !strings.HasPrefix(err.Error(), at) || !strings.HasSuffix(err.Error(), fmt.Sprintf("quote it, as %q", word)) {
				t.Errorf("%s as %s: error %v, want one at %s", part, word, err, at)
			}
			if m, err := Read(t.Context(), []byte(strings.Replace(text, "NAME", `"`+word+`"`, 1))); err != nil || len(m.Doubtful) > 0 {
				t.Errorf("%s as %s, quoted: %v", part, word, err)
			}
		}
	}
	for _, word := range []string{"true", "false", "yess", "none", "nope"} {
		if m, err := Read(t.Context(), []byte(strings.Replace(placed, `"a.b"`, word, 1))); err != nil || len(m.Doubtful) > 0 {
			t.Errorf("%s: %v", word, err)
		}
	}
}

// TestValuesThatAreReadOtherwise may be meant so, unless the field is one of text.
func TestValuesThatAreReadOtherwise(t *testing.T) {
	for name, tt := range map[string]struct{ old, by, want string }{
		"a country":               {`"a.b": 1`, `country: no`, "28:18: spec.routes[0].response.body.country (routes[/answer]): no is read as the boolean false (YAML 1.1): if a text is meant, quote it, as \"no\""},
		"an enum":                 {"{type: object}", "{type: object, properties: {a: {enum: [yes, maybe]}}}", "19:54: spec.routes[0].request.schema.properties.a.enum[0] (routes[/answer]): yes is read as the boolean true"},
		"a default":               {"{type: object}", "{type: object, default: off}", "19:39: spec.routes[0].request.schema.default (routes[/answer]): off"},
		"a number with a zero":    {`"a.b": 1`, `zip: 01234`, "28:14: spec.routes[0].response.body.zip (routes[/answer]): 01234 is read as the number 668"},
		"one that is not octal":   {`"a.b": 1`, `zip: 0089`, "28:14: spec.routes[0].response.body.zip (routes[/answer]): 0089 is read as the number 89"},
		"a boolean that is meant": {`"a.b": 1`, `is: true`, ""},
		"a boolean field":         {"    request:\n", "    request:\n      echoInput: yes\n", ""},
		"a quoted one":            {`"a.b": 1`, `is: "no"`, ""},
		"a tagged one":            {`"a.b": 1`, `is: !!str no`, ""},
		"in a text":               {`"a.b": 1`, `is: no one`, ""},
		"a zero":                  {`"a.b": 1`, `is: 0`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Read(t.Context(), []byte(strings.Replace(placed, tt.old, tt.by, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Doubtful.Error(); tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("doubtful: %q, want %q", got, tt.want)
			}
		})
	}
	_, err := Read(t.Context(), []byte(strings.Replace(placed, "content: hi", "content: no", 1)))
	want := `25:33: spec.routes[0].steps[0].chat.messages[0].content (routes[/answer].steps[answer]): "no" is of type boolean, want string; `
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), `quote it, as "no"`) {
		t.Errorf("error %v, want %s", err, want)
	}
}
