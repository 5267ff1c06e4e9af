package upstream

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// credentialTTL is how long a secret is used before its file is read again: once the kubelet has written the file, a rotation
// takes effect within this time.
const credentialTTL = time.Second

// refusedTTL takes its place after an upstream has refused the secret, because it may have been rotated.
const refusedTTL = 20 * time.Millisecond

// maxCredential bounds a secret's size in bytes: it becomes one header line.
const maxCredential = 8 << 10

// Credentials reads secret files. Their paths are relative to the directory where the kubelet mounts Secrets, or absolute.
type Credentials struct {
	dir, root string
	mu        sync.Mutex
	all       map[string]cachedSecret
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

// NewCredentials returns the credentials below dir, and those whose paths are absolute below root.
func NewCredentials(dir, root string) *Credentials {
	return &Credentials{
		dir: dir, root: root, all: map[string]cachedSecret{}, verdicts: map[keyed]verdict{}, pems: map[string]pemFile{},
	}
}

// file is where a path leads.
func (c *Credentials) file(path string) string {
	if strings.HasPrefix(path, "/") {
		return filepath.Join(c.root, filepath.FromSlash(path))
	}
	return filepath.Join(c.dir, filepath.FromSlash(path))
}

// Read returns the secret in the file at path, without surrounding white space. Its errors name the path, never the value.
func (c *Credentials) Read(path string) (string, error) { return c.within(path, credentialTTL) }

// within returns the secret as it was read at most ttl ago.
func (c *Credentials) within(path string, ttl time.Duration) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cached, ok := c.all[path]; ok && time.Since(cached.read) < ttl {
		return cached.value, cached.err
	}
	value, modified, err := readSecret(c.file(path))
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

// Changed returns when the secret last changed, or the error that reading it has. What that wraps names no path.
func (c *Credentials) Changed(path string) (Times, error) {
	if file, ok := c.knownPEM(path); ok {
		return file.times, file.err
	}
	if _, err := c.Read(path); err != nil {
		return Times{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[path].times, nil
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
	_, err := c.Changed(path)
	return err == nil
}

// readSecret returns the secret in a file, and when the file was written.
func readSecret(file string) (string, time.Time, error) {
	raw, modified, err := readFile(file, maxCredential)
	if err != nil {
		return "", time.Time{}, err
	}
	value := strings.TrimSpace(string(raw))
	switch {
	case value == "":
		return "", time.Time{}, errors.New("is empty")
	case strings.ContainsAny(value, "\r\n"):
		return "", time.Time{}, errors.New("has more than one line")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", time.Time{}, errors.New("has control characters") // not allowed in a header (RFC 9110, section 5.5)
	}
	return value, modified, nil
}

// readFile returns the content of a file of at most limit bytes, and when it was written. Its errors do not name the file: the
// caller does, by the path that its author knows.
func readFile(file string, limit int64) ([]byte, time.Time, error) {
	// A sidecar may have put a named pipe there: to open it would wait for its writer.
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, time.Time{}, errors.Unwrap(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, time.Time{}, errors.Unwrap(err)
	case !info.Mode().IsRegular():
		return nil, time.Time{}, errors.New("is not a file")
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, time.Time{}, errors.Unwrap(err)
	case int64(len(content)) > limit:
		return nil, time.Time{}, fmt.Errorf("has more than %d bytes", limit)
	}
	return content, info.ModTime(), nil
}
