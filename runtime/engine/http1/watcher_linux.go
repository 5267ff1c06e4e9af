package http1

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// eventsAtOnce is how many connections are heard of in one system call.
const eventsAtOnce = 128

// leaves is what the kernel reports of a connection: that its client has shut the sending side, once. Resets and
// errors are always reported.
const leaves = uint32(syscall.EPOLLRDHUP) | 1<<31 // EPOLLET, which is a negative number in package syscall

// watcher hears of clients that leave, for all connections, from one epoll instance. It is itself waited for
// in Go's poller, so it takes no thread.
type watcher struct {
	epoll int
	file  *os.File
	ended chan struct{}

	mu      sync.Mutex
	last    uint64
	sockets map[uint64]*socket // by numbers that are never used again, as those of files are
}

func newWatcher() (*watcher, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(epoll, true); err != nil {
		return nil, errors.Join(err, syscall.Close(epoll))
	}
	w := &watcher{epoll: epoll, file: os.NewFile(uintptr(epoll), "epoll"), ended: make(chan struct{}), sockets: map[uint64]*socket{}}
	raw, err := w.file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, w.file.Close())
	}
	go w.run(raw)
	return w, nil
}

// watch makes the way of a connection. forget ends the watch; it is called before the connection is in other hands.
func (w *watcher) watch(c *net.TCPConn, d *deadline, stall time.Duration) (s *socket, forget func(), err error) {
	if s, err = newSocket(c, d, stall); err != nil {
		return nil, nil, err
	}
	id := w.add(s)
	forget = func() { w.remove(id) }
	event := syscall.EpollEvent{Events: leaves, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))} //nolint:gosec // both halves
	var added error
	err = s.raw.Control(func(fd uintptr) { added = syscall.EpollCtl(w.epoll, syscall.EPOLL_CTL_ADD, int(fd), &event) })
	if err = errors.Join(err, added); err != nil {
		forget()
		return nil, nil, fmt.Errorf("watch a connection: %w", err)
	}
	return s, forget, nil
}

func (w *watcher) add(s *socket) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	w.sockets[w.last] = s
	return w.last
}

func (w *watcher) remove(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sockets, id)
}

func (w *watcher) socket(e *syscall.EpollEvent) *socket {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sockets[uint64(uint32(e.Fd))|uint64(uint32(e.Pad))<<32] //nolint:gosec // both halves
}

// run hears of clients until the file is closed.
func (w *watcher) run(raw syscall.RawConn) {
	defer close(w.ended)
	events := make([]syscall.EpollEvent, eventsAtOnce)
	var n int
	some := func(uintptr) bool {
		n, _ = syscall.EpollWait(w.epoll, events, 0)
		return n > 0
	}
	for raw.Read(some) == nil {
		for i := range events[:n] {
			if s := w.socket(&events[i]); s != nil {
				s.leave()
			}
		}
	}
}

// close ends the watcher, and waits for it.
func (w *watcher) close() error {
	err := w.file.Close()
	<-w.ended
	return err
}
