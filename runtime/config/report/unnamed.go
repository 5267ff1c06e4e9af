package report

import (
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
)

// Unnamed returns the status without the names of Secrets, files, upstreams and hosts. Secrets and upstreams are then known by
// their place in the revision, which says nothing to anyone who cannot read the config. How calls of upstreams go is left out: it
// is also in the metrics.
func (s Status) Unnamed() Status {
	s.Secrets, s.RefusedKeys, s.Upstreams = slices.Clone(s.Secrets), slices.Clone(s.RefusedKeys), nil
	for i := range s.Secrets {
		s.Secrets[i].SecretFile = config.SecretFile{}
	}
	for i := range s.RefusedKeys {
		s.RefusedKeys[i].Upstream, s.RefusedKeys[i].SecretFile = "", config.SecretFile{}
	}
	return s
}
