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
	// reading is done outside of mu.
	reading readings
	// readFile is the function of that name, unless a test has its own.
	readFile func(file string, limit int64) (content []byte, modified time.Time, err error)
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
		readFile: readFile,
	}
}

// file is where a path leads.
func (c *Credentials) file(path string) string {
	if strings.HasPrefix(path, "/") {
		return filepath.Join(c.root, filepath.FromSlash(path))
	}
	return filepath.Join(c.dir, filepath.FromSlash(path))
}

// Read returns the secret in the file at path, without surrounding white space. While the file's volume hangs, that is its last
// value. Its errors name the path, never the value.
func (c *Credentials) Read(path string) (string, error) { return c.within(path, credentialTTL) }

// within returns the secret as it was read at most ttl ago.
func (c *Credentials) within(path string, ttl time.Duration) (string, error) {
	known, err := c.secret(path, ttl)
	switch {
	case err == nil:
		return known.value, known.err
	case known.value != "":
		return known.value, nil
	}
	return "", fmt.Errorf("read secret %s: %w", path, err)
}

// secret returns what is known of a secret, which it reads again if that was more than ttl ago. The error is of a volume that
// hangs.
func (c *Credentials) secret(path string, ttl time.Duration) (cachedSecret, error) {
	known := c.lastSecret(path)
	if !known.read.IsZero() && time.Since(known.read) < ttl {
		return known, nil
	}
	inTime := c.readSecret(path).inTime()
	known = c.lastSecret(path)
	switch {
	case inTime:
		return known, nil
	case known.value != "":
		return known, errHangsUsed
	}
	return known, errHangs
}

func (c *Credentials) lastSecret(path string) cachedSecret {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[path]
}

// readSecret begins to read a secret.
func (c *Credentials) readSecret(path string) *fileReading {
	return c.reading.begin(path, func() {
		raw, modified, err := c.readFile(c.file(path), maxCredential)
		value := ""
		if err == nil {
			value, err = secretIn(raw)
		}
		if err != nil {
			err = fmt.Errorf("read secret %s: %w", path, err)
		}
		c.keep(path, value, modified, err)
	})
}

func (c *Credentials) keep(path, value string, modified time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, now := c.all[path], time.Now()
	times := Times{Modified: modified, Since: known.times.Since}
	if value != known.value || times.Since.IsZero() {
		times.Since = now
	}
	c.all[path] = cachedSecret{value: value, err: err, read: now, before: known.replacedBy(value), times: times}
}

// Changed returns when the secret last changed, or the error that reading it has. What that wraps names no path.
func (c *Credentials) Changed(path string) (Times, error) {
	if _, ok := c.lastPEM(path); ok {
		file, err := c.readPEM(path, credentialTTL)
		if err != nil {
			return Times{}, fmt.Errorf("read secret %s: %w", path, err)
		}
		return file.times, file.err
	}
	known, err := c.secret(path, credentialTTL)
	switch {
	case err != nil:
		return Times{}, fmt.Errorf("read secret %s: %w", path, err)
	case known.err != nil:
		return Times{}, known.err
	}
	return known.times, nil
}

// Refresh begins to read those of the files that are due, all at once: to wait for each then takes no longer than for one.
func (c *Credentials) Refresh(paths []string) {
	for _, path := range paths {
		if file, ok := c.lastPEM(path); ok {
			if time.Since(file.read) >= credentialTTL {
				c.beginPEM(path)
			}
		} else if time.Since(c.lastSecret(path).read) >= credentialTTL {
			c.readSecret(path)
		}
	}
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

// secretIn is the secret in the content of a file.
func secretIn(content []byte) (string, error) {
	value := strings.TrimSpace(string(content))
	switch {
	case value == "":
		return "", errors.New("is empty")
	case strings.ContainsAny(value, "\r\n"):
		return "", errors.New("has more than one line")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", errors.New("has control characters") // not allowed in a header (RFC 9110, section 5.5)
	}
	return value, nil
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
