package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretFiles(t *testing.T) {
	var c Config
	for _, name := range []string{"keys", "b", "a", "b"} {
		c.Upstreams = append(c.Upstreams, Upstream{Auth: &Auth{Bearer: &SecretFile{Secret: name, Key: "k"}}})
	}
	want := []SecretFile{{"a", "k"}, {"b", "k"}, {"keys", "k"}}
	if diff := cmp.Diff(want, c.SecretFiles()); diff != "" {
		t.Error(diff)
	}
}
