package upstream

import (
	"errors"
	"sync"
	"time"
)

const (
	// readWithin is how long callers wait for a file, from when its reading began. A volume that hangs, of NFS or of a CSI driver,
	// takes for ever; a healthy one takes less than a millisecond. It is shorter than the operator's patience with a status.
	readWithin = 500 * time.Millisecond
	// maxReadings bounds the files that are being read at one moment: each that hangs keeps a thread, also after the config has ceased
	// to name it.
	maxReadings = 256
)

// Problems of a file whose volume hangs. Nothing tells how long that will last, so nothing of it is in the words: the status of the
// service would change all the time.
var (
	errHangs     = errors.New("cannot be read in time, because its volume does not answer")
	errHangsUsed = errors.New("cannot be read in time, because its volume does not answer; its last content is used")
)

// readings are the files that are being read now, each by one goroutine, which holds no lock meanwhile.
type readings struct {
	mu       sync.Mutex
	underWay map[string]*fileReading
}

type fileReading struct {
	began time.Time
	ended chan struct{}
}

// begin has read called, unless the file is being read already. It returns nil if too many are. The goroutine is in a system call
// that nobody can cancel: it ends with that, and nobody waits for it for longer than readWithin.
func (r *readings) begin(file string, read func()) *fileReading {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now, ok := r.underWay[file]; ok {
		return now
	}
	if len(r.underWay) == maxReadings {
		return nil
	}
	if r.underWay == nil {
		r.underWay = map[string]*fileReading{}
	}
	now := &fileReading{began: time.Now(), ended: make(chan struct{})}
	r.underWay[file] = now
	go func() {
		defer close(now.ended)
		defer r.end(file)
		read()
	}()
	return now
}

func (r *readings) end(file string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.underWay, file)
}

// inTime waits for the end of a reading, and reports whether it came in time.
func (r *fileReading) inTime() bool {
	if r == nil {
		return false
	}
	timer := time.NewTimer(max(0, readWithin-time.Since(r.began)))
	defer timer.Stop()
	select {
	case <-r.ended:
		return true
	case <-timer.C:
		return false
	}
}
