package config

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
)

// The way from the operator to the gateway: a ConfigMap of two keys, mounted as a directory of two files.
const (
	// CurrentKey holds the config that the gateway shall serve.
	CurrentKey = "current"
	// LastGoodKey holds the config to serve where a gateway cannot load the current one.
	LastGoodKey = "lastGood"
	// MaxBytes bounds one encoded config: a ConfigMap holds two of them, and 1 MiB in all.
	MaxBytes = 450 << 10
)

// ConfigMapName is the ConfigMap of a service for this contract version; another version has another name, so
// that operator and gateway may differ by a release.
//
//nolint:revive // a ConfigMap is a kind; config.MapName would hide it
func ConfigMapName(service string) string { return service + "-config-" + Version }

// Revision names the bytes of an encoded config: equal bytes have equal revisions.
func Revision(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:6])
}

// Path is the file of the secret, relative to the gateway's secrets directory.
func (f SecretFile) Path() string { return path.Join(f.Secret, f.Key) }

// SecretFiles lists what the config reads from Secrets, sorted and without repetition.
func (c *Config) SecretFiles() []SecretFile {
	var files []SecretFile
	for i := range c.Upstreams {
		if auth := c.Upstreams[i].Auth; auth != nil && auth.Bearer != nil {
			files = append(files, *auth.Bearer)
		}
	}
	slices.SortFunc(files, func(a, b SecretFile) int {
		if a.Path() < b.Path() {
			return -1
		}
		if a.Path() > b.Path() {
			return 1
		}
		return 0
	})
	return slices.Compact(files)
}
