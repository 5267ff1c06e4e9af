//go:build !linux

package http1

import (
	"net"
	"time"
)

// ways makes the ways of one engine's connections.
type ways struct{}

func (w *ways) of(c net.Conn, d *deadline, stall time.Duration) (way, func()) {
	return newPlainWay(c, d, stall), func() {}
}

func (w *ways) close() error { return nil }
