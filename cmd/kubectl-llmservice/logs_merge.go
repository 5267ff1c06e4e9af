package main

import (
	"bufio"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxLine bounds what is read of one line, in bytes; the rest is left out. A container runtime cuts longer ones itself.
const maxLine = 256 << 10

// lines are those of one replica, each after the time at which the kubelet has taken it.
type lines struct {
	io.Closer

	pod    string
	reader *bufio.Reader
	// at and line are the next one's.
	at   time.Time
	line string
}

func newLines(pod string, body io.ReadCloser) *lines {
	return &lines{Closer: body, pod: pod, reader: bufio.NewReader(body)}
}

// next reads one line; false once there are no more. A line without a time belongs to the one before.
func (l *lines) next() (bool, error) {
	text, err := l.read()
	if errors.Is(err, io.EOF) && text == "" {
		return false, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the log of pod %s: %w", l.pod, err)
	}
	l.line = strings.TrimRight(text, "\r\n")
	if stamp, line, ok := strings.Cut(l.line, " "); ok {
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			l.at, l.line = at, line
		}
	}
	return true, nil
}

func (l *lines) read() (string, error) {
	var text strings.Builder
	for {
		part, err := l.reader.ReadSlice('\n')
		if room := maxLine - text.Len(); room > 0 {
			text.Write(part[:min(len(part), room)])
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text.String(), err //nolint:wrapcheck // io.EOF is compared
		}
	}
}

// earliest is a heap of replicas by their next line's time; of two at the same time, the first by name goes first.
type earliest []*lines

// Len implements heap.Interface.
func (e *earliest) Len() int { return len(*e) }

// Swap implements heap.Interface.
func (e *earliest) Swap(i, j int) { (*e)[i], (*e)[j] = (*e)[j], (*e)[i] }

// Less implements heap.Interface.
func (e *earliest) Less(i, j int) bool {
	a, b := (*e)[i], (*e)[j]
	if a.at.Equal(b.at) {
		return a.pod < b.pod
	}
	return a.at.Before(b.at)
}

// Push implements heap.Interface.
func (e *earliest) Push(x any) { *e = append(*e, x.(*lines)) } //nolint:forcetypeassert // nobody else pushes

// Pop implements heap.Interface.
func (e *earliest) Pop() any {
	last := len(*e) - 1
	popped := (*e)[last]
	*e = (*e)[:last]
	return popped
}

// merge prints the lines that are wanted in the order of their times. It holds one line of each replica.
func merge(all []*lines, wanted func(line string) bool, emit func(pod, line string) error) error {
	var next earliest
	for _, l := range all {
		more, err := l.next()
		if err != nil {
			return err
		}
		if more {
			next = append(next, l)
		}
	}
	heap.Init(&next)
	for len(next) > 0 {
		l := next[0]
		if wanted(l.line) {
			if err := emit(l.pod, l.line); err != nil {
				return err
			}
		}
		more, err := l.next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&next, 0)
		default:
			heap.Pop(&next)
		}
	}
	return nil
}
