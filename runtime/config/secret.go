package config

import (
	"path"
	"slices"
	"strings"
)

// Path is the file of the secret, relative to the gateway's secrets directory.
func (f SecretFile) Path() string { return path.Join(f.Secret, f.Key) }

// SecretFiles lists what the config reads from Secrets, sorted and without repetition.
func (c *Config) SecretFiles() []SecretFile {
	var files []SecretFile
	for i := range c.Upstreams {
		files = append(files, c.Upstreams[i].Keys()...)
		files = append(files, c.Upstreams[i].staticFiles()...)
		files = append(files, c.Upstreams[i].TLS.files()...)
	}
	slices.SortFunc(files, func(a, b SecretFile) int { return strings.Compare(a.Path(), b.Path()) })
	return slices.Compact(files)
}
