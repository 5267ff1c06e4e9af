package v1alpha1

import (
	"encoding/json"
	"testing"
)

func TestJSONKeepsTheValue(t *testing.T) {
	for _, text := range []string{
		`{"body":"${steps.answer.text}"}`, `{"body":[1,null,true,1.50]}`, `{"body":{"b":1,"a":{"on":"yes"}}}`, `{"body":12345678901234567890}`,
		`{"body":""}`, `{"stream":"answer"}`,
	} {
		var response Response
		if err := json.Unmarshal([]byte(text), &response); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(response); err != nil || string(got) != text {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
}

func TestJSONOwnsItsBytes(t *testing.T) {
	text := []byte(`"one"`)
	var value JSON
	if err := value.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	copy(text, `"two"`)
	if string(value.Raw) != `"one"` {
		t.Errorf("the decoder's buffer was kept: %s", value.Raw)
	}
	clone := value.DeepCopy()
	copy(value.Raw, `"six"`)
	if string(clone.Raw) != `"one"` {
		t.Errorf("the copy is %s", clone.Raw)
	}
	if got, err := json.Marshal(JSON{}); err != nil || string(got) != "null" {
		t.Errorf("nothing is %s, %v, want null", got, err)
	}
}
