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

// pem reads a file of certificates or of a private key. Its errors name the path, never the content.
func (c *Credentials) pem(path string) ([]byte, error) {
	content, modified, err := readPEM(c.file(path))
	if err != nil {
		err = fmt.Errorf("read secret %s: %w", path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.pems[path]
	times := Times{Modified: modified, Since: known.times.Since}
	if !ok || !bytes.Equal(content, known.content) {
		times.Since = time.Now()
	}
	c.pems[path] = pemFile{content, err, time.Now(), times}
	return content, err
}

// CheckPEM returns the reason why a file is not one of certificates or of a private key.
func (c *Credentials) CheckPEM(path string) error {
	_, err := c.pem(path)
	return err
}

// knownPEM returns a file that pem has read before, read again if that is due; false for any other.
func (c *Credentials) knownPEM(path string) (pemFile, bool) {
	known, ok := c.lastPEM(path)
	if ok && time.Since(known.read) >= credentialTTL {
		_, _ = c.pem(path) // its error is kept
		return c.lastPEM(path)
	}
	return known, ok
}

func (c *Credentials) lastPEM(path string) (pemFile, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.pems[path]
	return known, ok
}

func readPEM(file string) ([]byte, time.Time, error) {
	content, modified, err := readFile(file, maxPEM)
	if err != nil {
		return nil, time.Time{}, err
	}
	if block, _ := pem.Decode(content); block == nil {
		return nil, time.Time{}, errors.New("is not PEM")
	}
	return content, modified, nil
}
