package upstream

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// hanging are credentials whose file /mnt/key is a pipe, and hangs: anyone who opens it waits for a writer. So does a file of a network
// file system whose server is gone. Before, it had this content, if any, which first has read. Opened counts who tries.
func hanging(t *testing.T, before string, first func(*Credentials)) (c *Credentials, opened *atomic.Int32) {
	t.Helper()
	c, file := mountedFile(t)
	opened = &atomic.Int32{}
	c.readFile = func(file string, limit int64) ([]byte, time.Time, error) {
		if info, err := os.Stat(file); err != nil || info.Mode().IsRegular() {
			return readFile(file, limit)
		}
		opened.Add(1)
		f, err := os.Open(file)
		if err != nil {
			return nil, time.Time{}, errors.Unwrap(err)
		}
		content, err := io.ReadAll(io.LimitReader(f, limit))
		return content, time.Now(), errors.Join(err, f.Close())
	}
	if before != "" {
		if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		first(c)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	return c, opened
}

// recover answers whoever has opened the pipe, and leaves an ordinary file there.
func (c *Credentials) recover(t *testing.T, content string) {
	t.Helper()
	file := c.file("/mnt/key")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{"/mnt/key", "PEM /mnt/key"} {
		if r := c.reading.of(of); r != nil {
			<-r.ended
		}
	}
	if err := errors.Join(os.Remove(file), os.WriteFile(file, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (r *readings) of(file string) *fileReading {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.underWay[file]
}

// However many requests need a key whose file hangs, they are served with the last one, one goroutine waits for the file, and
// other keys are read.
func TestAFileThatHangsHoldsUpNobody(t *testing.T) {
	c, opened := hanging(t, "first", func(c *Credentials) { _, _ = c.Read("/mnt/key") })
	if err := os.WriteFile(filepath.Join(c.dir, "other"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	var requests sync.WaitGroup
	for range 100 {
		requests.Go(func() {
			if value, err := c.within("/mnt/key", 0); value != "first" || err != nil {
				t.Errorf("%q, %v", value, err)
			}
		})
	}
	if value, err := c.Read("other"); value != "other" || err != nil {
		t.Errorf("another file: %q, %v", value, err)
	}
	requests.Wait()
	if value, err := c.within("/mnt/key", 0); value != "first" || err != nil {
		t.Errorf("later: %q, %v", value, err)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d goroutines wait for the file", n)
	}
	if known := c.Known(); len(known) != 2 {
		t.Errorf("known are %d secrets", len(known))
	}
	c.recover(t, "second")
	if value, err := c.within("/mnt/key", time.Hour); value != "second" || err != nil {
		t.Errorf("after the volume has recovered: %q, %v", value, err)
	}
}

// What is known of a file that hangs is said, and also that its last content is used.
func TestAFileThatHangsIsReported(t *testing.T) {
	for name, tc := range map[string]struct{ before, want string }{
		"before the first reading": {"", errHangs.Error()},
		"with a key":               {"first", errHangsUsed.Error()},
		"after a mistake":          {"two\nlines", errHangs.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			c, opened := hanging(t, tc.before, func(c *Credentials) { _, _ = c.Read("/mnt/key") })
			c.age("/mnt/key")
			_, err := c.Changed("/mnt/key")
			if err == nil || errors.Unwrap(err).Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			value, err := c.Read("/mnt/key")
			if failed := tc.want == errHangs.Error(); failed != (err != nil) || strings.Contains(fmt.Sprint(err), "last content") {
				t.Errorf("read %q, %v", value, err)
			}
			if n := opened.Load(); n != 1 {
				t.Errorf("%d goroutines wait for the file", n)
			}
			c.recover(t, "second")
			if _, err := c.Changed("/mnt/key"); err != nil {
				t.Errorf("after the volume has recovered: %v", err)
			}
		})
	}
}

// age makes a secret, or a file of PEM, due.
func (c *Credentials) age(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.all[path]; ok {
		known.read = known.read.Add(-credentialTTL)
		c.all[path] = known
	}
	if known, ok := c.pems[path]; ok {
		known.read = known.read.Add(-credentialTTL)
		c.pems[path] = known
	}
}

// The TLS of an upstream stays what it was while its files hang, and there is none if they never could be read.
func TestCertificatesThatHang(t *testing.T) {
	certificate := newAuthority(t, "ours").pem
	settings := TLS{CA: "/mnt/key"}
	for name, tc := range map[string]struct {
		before string
		want   error
	}{
		"before the first reading": {"", errHangs},
		"with authorities":         {certificate, errHangsUsed},
	} {
		t.Run(name, func(t *testing.T) {
			var first *Secure
			c, opened := hanging(t, tc.before, func(c *Credentials) { first, _ = c.securityOf(settings).now(c) })
			due(c)
			c.age("/mnt/key")
			now, err := c.securityOf(settings).now(c)
			if now != first || (err == nil) != (tc.before != "") || (first == nil) != (tc.before == "") {
				t.Errorf("%v, %v; it was %v", now, err, first)
			}
			if _, err := c.Changed("/mnt/key"); !errors.Is(err, tc.want) {
				t.Errorf("reported is %v, want %v", err, tc.want)
			}
			if n := opened.Load(); n != 1 {
				t.Errorf("%d goroutines wait for the file", n)
			}
			c.recover(t, certificate)
			due(c)
			if now, err := c.securityOf(settings).now(c); now == nil || err != nil {
				t.Errorf("after the volume has recovered: %v, %v", now, err)
			}
		})
	}
}

// Several files of one volume are waited for at the same time: a status with all of them comes in time.
func TestFilesThatHangAreWaitedForTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCredentials(t.TempDir(), t.TempDir())
		answer := make(chan struct{})
		c.readFile = func(string, int64) ([]byte, time.Time, error) {
			<-answer
			return []byte("key"), time.Now(), nil
		}
		began := time.Now()
		paths := []string{"a", "b", "c", "d"}
		c.Refresh(paths)
		for _, path := range paths {
			if c.Loaded(path) {
				t.Errorf("%s is loaded", path)
			}
		}
		if took := time.Since(began); took != readWithin {
			t.Errorf("it took %v, want %v", took, readWithin)
		}
		close(answer)
		synctest.Wait()
		for _, path := range paths {
			if !c.Loaded(path) {
				t.Errorf("%s is not loaded", path)
			}
		}
	})
}

// Edits of a path cannot collect threads without end.
func TestReadingsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCredentials(t.TempDir(), t.TempDir())
		answer := make(chan struct{})
		var blocked atomic.Int32
		c.readFile = func(string, int64) ([]byte, time.Time, error) {
			blocked.Add(1)
			<-answer
			return []byte("key"), time.Now(), nil
		}
		for i := range 2 * maxReadings {
			path := fmt.Sprint("key-", i)
			c.Refresh([]string{path})
			if i >= maxReadings {
				if _, err := c.Read(path); !errors.Is(err, errHangs) {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
		synctest.Wait()
		if n := blocked.Load(); n != maxReadings {
			t.Errorf("%d files are being read, want %d", n, maxReadings)
		}
		close(answer)
		synctest.Wait()
		if value, err := c.Read(fmt.Sprint("key-", 2*maxReadings-1)); value != "key" || err != nil {
			t.Errorf("afterwards: %q, %v", value, err)
		}
	})
}
