package upstream

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// credentialTTL is how long a secret that was read is used before its file is read again: a rotation is live
// within it, once the kubelet has written the file.
const credentialTTL = time.Second

// maxCredential bounds a secret's size in bytes: it becomes one header line.
const maxCredential = 8 << 10

// Credentials reads secret files below a directory, as the kubelet mounts them.
type Credentials struct {
	dir string
	mu  sync.Mutex
	all map[string]cachedSecret
}

type cachedSecret struct {
	value string
	err   error
	read  time.Time
	// before is the value that a rotation has replaced: calls that were made with it may be in flight.
	before string
}

// NewCredentials returns the credentials below dir.
func NewCredentials(dir string) *Credentials {
	return &Credentials{dir: dir, all: map[string]cachedSecret{}}
}

// Read returns the secret in the file at path below the directory, without surrounding white space. Its errors
// name the path, never the value.
func (c *Credentials) Read(path string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cached, ok := c.all[path]; ok && time.Since(cached.read) < credentialTTL {
		return cached.value, cached.err
	}
	value, err := readSecret(filepath.Join(c.dir, filepath.FromSlash(path)))
	if err != nil {
		err = fmt.Errorf("read secret %s: %w", path, err)
	}
	c.all[path] = cachedSecret{value: value, err: err, read: time.Now(), before: c.all[path].replacedBy(value)}
	return value, err
}

func (s cachedSecret) replacedBy(value string) string {
	if s.value == "" || s.value == value {
		return s.before
	}
	return s.value
}

// Known are all values that have been read and may still be in use, so that they can be kept out of what is told.
func (c *Credentials) Known() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var known []string
	for _, s := range c.all {
		for _, value := range []string{s.value, s.before} {
			if value != "" {
				known = append(known, value)
			}
		}
	}
	return known
}

// Loaded says whether the secret can be read.
func (c *Credentials) Loaded(path string) bool {
	_, err := c.Read(path)
	return err == nil
}

func readSecret(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", errors.Unwrap(err) // the path is named by the caller, relative to the directory
	}
	if info.Size() > maxCredential {
		return "", fmt.Errorf("has %d bytes, allowed are %d", info.Size(), maxCredential)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	value := strings.TrimSpace(string(raw))
	if value == "" {
		return "", errors.New("is empty")
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return "", errors.New("has more than one line")
	}
	return value, nil
}
