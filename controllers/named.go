package controllers

import (
	"fmt"

	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// names turn places in a revision, by which a gateway names secrets and upstreams to clients from outside of its pod, into the
// words of the spec. The document is read once, and not at all while every secret is there.
type names struct {
	document  render.Document
	read      bool
	secrets   []config.SecretFile
	upstreams []config.Upstream
}

func (n *names) load() {
	if n.read {
		return
	}
	n.read = true
	c, err := config.Decode(n.document.Encoded)
	if err != nil {
		return // of another release; the places are then shown as they are
	}
	n.secrets, n.upstreams = c.SecretFiles(), c.Upstreams
}

// secret returns the words for a file that a gateway reports. Gateways of older releases report its name.
func (n *names) secret(named config.SecretFile, index int) string {
	if named != (config.SecretFile{}) {
		return named.Words()
	}
	if n.load(); index < 0 || index >= len(n.secrets) {
		return fmt.Sprintf("secret %d of the config", index)
	}
	return n.secrets[index].Words()
}

// upstream returns the words for an upstream, in the same way.
func (n *names) upstream(named string, index int) string {
	if named != "" {
		return fmt.Sprintf("upstream %q", named)
	}
	if n.load(); index < 0 || index >= len(n.upstreams) {
		return fmt.Sprintf("upstream %d of the config", index)
	}
	return fmt.Sprintf("upstream %q", n.upstreams[index].Name)
}

// refusal returns the words for a key that an upstream refuses.
func (n *names) refusal(key report.RefusedKey) string {
	return n.upstream(key.Upstream, key.UpstreamIndex) + " refuses " + n.secret(key.SecretFile, key.Index)
}
