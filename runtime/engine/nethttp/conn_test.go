package nethttp

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A client that reads slowly is written to, one that reads nothing is left, and an answer has a bound of its own.
func TestWritesMakeProgress(t *testing.T) {
	for name, tt := range map[string]struct {
		pause time.Duration // before each byte that is read
		bound time.Duration // of the answer
		after time.Duration
		fails bool
	}{
		"slowly":              {20 * time.Second, 0, 200 * time.Second, false},
		"too slowly":          {31 * time.Second, 0, 30 * time.Second, true},
		"slowly for too long": {20 * time.Second, 90 * time.Second, 90 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				c := newConn(server, 30*time.Second)
				began := time.Now()
				if tt.bound > 0 {
					_ = c.SetWriteDeadline(began.Add(tt.bound))
				}
				go func() {
					for range 10 {
						time.Sleep(tt.pause)
						if _, err := client.Read(make([]byte, 1)); err != nil {
							return
						}
					}
				}()
				n, err := c.Write(make([]byte, 10))
				if after := time.Since(began); after != tt.after || (err != nil) != tt.fails || (n == 10) == tt.fails {
					t.Errorf("%d bytes after %s, %v; want %s, failure %v", n, after, err, tt.after, tt.fails)
				}
				if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
				_, _ = client.Close(), c.Close()
				time.Sleep(time.Minute) // the reader ends
			})
		})
	}
}
