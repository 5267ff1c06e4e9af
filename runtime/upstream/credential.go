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

// credentialTTL is how long a secret is used before its file is read again: once the kubelet has written the file, a rotation
// takes effect within this time.
const credentialTTL = time.Second

// refusedTTL takes its place after an upstream has refused the secret, because it may have been rotated.
const refusedTTL = 20 * time.Millisecond

// maxCredential bounds a secret's size in bytes: it becomes one header line.
const maxCredential = 8 << 10

// Credentials reads secret files below a directory, as the kubelet mounts them.
type Credentials struct {
	dir string
	mu  sync.Mutex
	all map[string]cachedSecret
	// verdicts are whether upstreams accepted the keys that they were sent.
	verdicts map[keyed]verdict
	// pems are the files that are not sent, and secured is the TLS that is made of them.
	pems    map[string]pemFile
	secured securities
}

type cachedSecret struct {
	value string
	err   error
	read  time.Time
	// before is the value that a rotation has replaced: calls with it may still be in flight.
	before string
	times  Times
}

// Times are when a secret was last seen to change.
type Times struct {
	// Modified is when the file was written.
	Modified time.Time
	// Since is when the present value was first read.
	Since time.Time
}

// NewCredentials returns the credentials below dir.
func NewCredentials(dir string) *Credentials {
	return &Credentials{dir: dir, all: map[string]cachedSecret{}, verdicts: map[keyed]verdict{}, pems: map[string]pemFile{}}
}

// Read returns the secret in the file at path below the directory, without surrounding white space. Its errors name the path,
// never the value.
func (c *Credentials) Read(path string) (string, error) { return c.within(path, credentialTTL) }

// within returns the secret as it was read at most ttl ago.
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

// Changed returns when the secret last changed; false if it cannot be read.
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

// Known returns all values that have been read and may still be in use, so that they can be kept out of logs and answers.
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

// Loaded reports whether the secret can be read.
func (c *Credentials) Loaded(path string) bool {
	_, ok := c.Changed(path)
	return ok
}

// readSecret returns the content of a file, and when it was written.
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
		return "", time.Time{}, errors.New("has control characters") // not allowed in a header (RFC 9110, section 5.5)
	}
	return value, info.ModTime(), nil
}
