package http1

import (
	"net"
	"sync"
	"time"
)

// ways makes the ways of one engine's connections. It begins to watch with the first TCP connection.
type ways struct {
	once    sync.Once
	watcher *watcher
}

// of returns the way of a connection, and what ends its watch. A connection that cannot be watched has the plain one.
func (w *ways) of(c net.Conn, d *deadline, stall time.Duration) (way, func()) {
	tcp, ok := c.(*net.TCPConn)
	if ok {
		w.once.Do(func() { w.watcher, _ = newWatcher() })
	}
	if ok && w.watcher != nil {
		if s, forget, err := w.watcher.watch(tcp, d, stall); err == nil {
			return s, forget
		}
	}
	return newPlainWay(c, d, stall), func() {}
}

// close ends what was begun, and waits for it.
func (w *ways) close() error {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.close()
}
