package upstream

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// maxPEM bounds a file of certificates or of a private key, in bytes. All public authorities together need less.
const maxPEM = 512 << 10

// pemFile is a file of certificates, or of a private key, as it was last read.
type pemFile struct {
	content []byte
	err     error
	read    time.Time
	times   Times
}

// pem reads a file of certificates or of a private key. While its volume hangs, it returns the last content. Its errors name the
// path, never the content.
func (c *Credentials) pem(path string) ([]byte, error) {
	file, err := c.readPEM(path, 0)
	switch {
	case err == nil:
		return file.content, file.err
	case file.content != nil:
		return file.content, nil
	}
	return nil, fmt.Errorf("read secret %s: %w", path, err)
}

// CheckPEM returns the reason why a file is not one of certificates or of a private key.
func (c *Credentials) CheckPEM(path string) error {
	_, err := c.pem(path)
	return err
}

// readPEM returns what is known of a file, which it reads again if that was at least ttl ago. The error is of a volume that hangs.
func (c *Credentials) readPEM(path string, ttl time.Duration) (pemFile, error) {
	if known, ok := c.lastPEM(path); ok && time.Since(known.read) < ttl {
		return known, nil
	}
	inTime := c.beginPEM(path).inTime()
	known, ok := c.lastPEM(path)
	switch {
	case inTime && ok:
		return known, nil
	case known.content != nil:
		return known, errHangsUsed
	}
	return known, errHangs
}

// beginPEM begins to read a file, which is known as one of PEM from then on.
func (c *Credentials) beginPEM(path string) *fileReading {
	c.mu.Lock()
	if _, ok := c.pems[path]; !ok {
		c.pems[path] = pemFile{}
	}
	c.mu.Unlock()
	return c.reading.begin("PEM "+path, func() {
		content, modified, err := c.readFile(c.file(path), maxPEM)
		if err == nil {
			err = checkPEM(content)
		}
		if err != nil {
			content, modified, err = nil, time.Time{}, fmt.Errorf("read secret %s: %w", path, err)
		}
		c.keepPEM(path, content, modified, err)
	})
}

// keepPEM drops what nobody uses any more.
func (c *Credentials) keepPEM(path string, content []byte, modified time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.pems[path]
	if !ok {
		return
	}
	times := Times{Modified: modified, Since: known.times.Since}
	if known.read.IsZero() || !bytes.Equal(content, known.content) {
		times.Since = time.Now()
	}
	c.pems[path] = pemFile{content, err, time.Now(), times}
}

// lastPEM returns a file of PEM as it was last read; false for any other.
func (c *Credentials) lastPEM(path string) (pemFile, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.pems[path]
	return known, ok
}

func checkPEM(content []byte) error {
	if block, _ := pem.Decode(content); block == nil {
		return errors.New("is not PEM")
	}
	return nil
}
