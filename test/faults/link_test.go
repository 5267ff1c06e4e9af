package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// errCut is what a process sees of the API server when it is cut off from it, or is no more.
var errCut = errors.New("the connection was cut by the test")

// send passes a request on to the API server.
type send func() (*http.Response, error)

// write is a request that changes something.
type write struct {
	target

	method string
	body   []byte
	// status and answer are the API server's; zero if it was not asked.
	status int
	answer []byte
}

func (w *write) String() string {
	return strings.TrimRight(fmt.Sprintf("%s %s %s %s", w.method, w.kind, w.name, w.subresource), " ")
}

// ok says that the API server took the write.
func (w *write) ok() bool { return w.status >= 200 && w.status < 300 }

// link is the way of one operator to the API server: faults happen here, below the client's caches.
type link struct {
	run  *run
	next http.RoundTripper

	mu      sync.Mutex
	dead    bool
	streams map[*stream]struct{}
}

func newLink(r *run) *link { return &link{run: r, streams: map[*stream]struct{}{}} }

// die ends all that is under way: nothing of this process reaches the API server any more, nor the other way round.
func (l *link) die() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.cut()
}

// cut ends the watches that there are; new ones may be opened.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.streams {
		s.close(errCut)
	}
}

func (l *link) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

func (l *link) RoundTrip(sent *http.Request) (*http.Response, error) {
	if l.isDead() {
		return nil, errCut
	}
	sent = scoped(sent, l.run.namespace)
	of := targetOf(sent)
	switch {
	case !of.watched():
		return l.next.RoundTrip(sent)
	case sent.Method != http.MethodGet:
		return l.write(sent, of)
	case sent.URL.Query().Get("watch") != "":
		return l.watch(sent, of)
	default:
		return l.run.fault.read(l.run, of, sent, func() (*http.Response, error) { return l.next.RoundTrip(sent) })
	}
}

func (l *link) write(sent *http.Request, of target) (*http.Response, error) {
	w := &write{target: of, method: sent.Method}
	if sent.Body != nil {
		var err error
		if w.body, err = io.ReadAll(sent.Body); err != nil {
			return nil, err
		}
		_ = sent.Body.Close()
	}
	l.run.sent(w)
	return l.run.fault.write(l.run, l, w, func() (*http.Response, error) {
		again := sent.Clone(sent.Context())
		again.Body = io.NopCloser(bytes.NewReader(w.body))
		return l.run.forward(l, w, again)
	})
}

// forward has the API server do it, with nothing else under way in the namespace, and holds the rules up to it.
func (r *run) forward(l *link, w *write, sent *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.isDead() {
		return nil, errCut
	}
	before := r.look(w)
	response, err := l.next.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	if w.answer, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(w.answer))
	w.status = response.StatusCode
	r.written(w, before)
	return response, nil
}

// refusal is the API server's answer of this status.
func refusal(status int, message string) *http.Response {
	reason := map[int]string{
		http.StatusForbidden: "Forbidden", http.StatusConflict: "Conflict", http.StatusUnprocessableEntity: "Invalid",
		http.StatusTooManyRequests: "TooManyRequests", http.StatusInternalServerError: "InternalError", http.StatusGone: "Expired",
	}[status]
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":%q}`, reason, status, message)
	header := http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(body))}}
	if status == http.StatusTooManyRequests {
		header.Set("Retry-After", "1")
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(body)),
	}
}
