package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// tick is how often held events are looked at.
const tick = 20 * time.Millisecond

// event is one frame of a watch.
type event struct {
	kind  string // the watch's, not the frame's
	frame json.RawMessage
	// Type and Object are the frame's.
	Type   string `json:"type"`
	Object struct {
		Metadata struct {
			Name        string            `json:"name"`
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	} `json:"object"`
}

// expired is how the API server says that it no longer knows what changed: the client lists anew.
const expired = `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version (by the test)"}}` + "\n"

// stream is a watch that is under way. The fault decides what becomes of each event.
type stream struct {
	kind  string
	body  io.ReadCloser
	write *io.PipeWriter
	// held are events that are on their way.
	held []event
	// losing is since when events were dropped; zero while none was.
	losing time.Time
	// listing says that what comes is still the list that the watch begins with, which is never wrong.
	listing bool
}

func (l *link) watch(sent *http.Request, of target) (*http.Response, error) {
	if response := l.run.fault.refuseWatch(l.run, of, sent); response != nil {
		return response, nil
	}
	response, err := l.next.RoundTrip(sent)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	reader, writer := io.Pipe()
	s := &stream{kind: of.kind, body: response.Body, write: writer, listing: sent.URL.Query().Get("sendInitialEvents") == "true"}
	l.mu.Lock()
	l.streams[s] = struct{}{}
	dead := l.dead
	l.mu.Unlock()
	if dead {
		s.close(errCut)
	}
	frames := make(chan event)
	go s.read(frames)
	go func() {
		s.pump(l.run, frames)
		l.mu.Lock()
		delete(l.streams, s)
		l.mu.Unlock()
	}()
	response.Body = &watchBody{PipeReader: reader, stream: s}
	return response, nil
}

// watchBody is what the client reads; when it has enough, the API server's side ends too.
type watchBody struct {
	*io.PipeReader

	stream *stream
}

func (b *watchBody) Close() error {
	b.stream.close(io.ErrClosedPipe)
	return b.PipeReader.Close()
}

func (s *stream) close(err error) {
	_ = s.write.CloseWithError(err)
	_ = s.body.Close()
}

func (s *stream) read(frames chan<- event) {
	defer close(frames)
	decoder := json.NewDecoder(s.body)
	for {
		e := event{kind: s.kind}
		if decoder.Decode(&e.frame) != nil || json.Unmarshal(e.frame, &e) != nil {
			return
		}
		frames <- e
	}
}

// pump passes events on as the fault says, until either side ends.
func (s *stream) pump(r *run, frames <-chan event) {
	defer s.close(io.EOF)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case e, ok := <-frames:
			if !ok {
				return
			}
			if s.listing {
				s.listing = !e.initial()
				s.emit(e)
				continue
			}
			r.fault.event(r, s, e)
		case <-ticker.C:
			r.fault.tick(r, s)
		}
	}
}

// emit gives one event to the client.
func (s *stream) emit(e event) { _, _ = s.write.Write(append(e.frame, '\n')) }

// flush gives all that is held.
func (s *stream) flush() {
	for _, e := range s.held {
		s.emit(e)
	}
	s.held = nil
}

// initial says that the event ends what was there when the watch began.
func (e *event) initial() bool {
	return e.Object.Metadata.Annotations["k8s.io/initial-events-end"] != ""
}
