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

// refusedTTL takes its place where an upstream has refused the secret: it may have been rotated.
const refusedTTL = 20 * time.Millisecond

// maxCredential bounds a secret's size in bytes: it becomes one header line.
const maxCredential = 8 << 10

// Credentials reads secret files below a directory, as the kubelet mounts them.
type Credentials struct {
	dir string
	mu  sync.Mutex
	all map[string]cachedSecret
	// verdicts are what upstreams think of the keys that they were sent.
	verdicts map[keyed]verdict
	// pems are files that are not sent, and secured is what they make.
	pems    map[string]pemFile
	secured securities
}

type cachedSecret struct {
	value string
	err   error
	read  time.Time
	// before is the value that a rotation has replaced: calls that were made with it may be in flight.
	before string
	times  Times
}

// Times say when a secret was last seen to change.
type Times struct {
	// Modified is when its file was written.
	Modified time.Time
	// Since is when the value now in use was first read.
	Since time.Time
}

// NewCredentials returns the credentials below dir.
func NewCredentials(dir string) *Credentials {
	return &Credentials{dir: dir, all: map[string]cachedSecret{}, verdicts: map[keyed]verdict{}, pems: map[string]pemFile{}}
}

// Read returns the secret in the file at path below the directory, without surrounding white space. Its errors
// name the path, never the value.
func (c *Credentials) Read(path string) (string, error) { return c.within(path, credentialTTL) }

// within returns what was read no longer ago than that.
func (c *Credentials) within(path string, ttl time.Duration) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cached, ok := c.all[path]; ok && time.Since(cached.read) < ttl {
		return cached.value, cached.err
	}
	value, modified, err := readSecret(filepath.Join(c.dir, filepath.FromSlash(path)))
	if err != nil {
		err = fmt.Errorf("read secret %s: %w", path, err)
	}
	known, now := c.all[path], time.Now()
	times := Times{Modified: modified, Since: known.times.Since}
	if value != known.value || times.Since.IsZero() {
		times.Since = now
	}
	c.all[path] = cachedSecret{value: value, err: err, read: now, before: known.replacedBy(value), times: times}
	return value, err
}

// Changed says when the secret last changed; false where it cannot be read.
func (c *Credentials) Changed(path string) (Times, bool) {
	if file, ok := c.knownPEM(path); ok {
		return file.times, file.err == nil
	}
	if _, err := c.Read(path); err != nil {
		return Times{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[path].times, true
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
	_, ok := c.Changed(path)
	return ok
}

// readSecret returns what is in a file, and when it was written.
func readSecret(file string) (string, time.Time, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", time.Time{}, errors.Unwrap(err) // the path is named by the caller, relative to the directory
	}
	if info.Size() > maxCredential {
		return "", time.Time{}, fmt.Errorf("has %d bytes, at most %d are allowed", info.Size(), maxCredential)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", time.Time{}, errors.Unwrap(err)
	}
	value := strings.TrimSpace(string(raw))
	if value == "" {
		return "", time.Time{}, errors.New("is empty")
	}
	switch {
	case strings.ContainsAny(value, "\r\n"):
		return "", time.Time{}, errors.New("has more than one line")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", time.Time{}, errors.New("has control characters") // no header may have them (RFC 9110, section 5.5)
	}
	return value, info.ModTime(), nil
}
