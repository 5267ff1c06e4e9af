// Package wire frames and unframes server-sent events without doing I/O:
// callers hand it the bytes they have read and write the bytes it returns.
//
// The rules are those of the WHATWG HTML Living Standard, section 9.2.5
// "Parsing an event stream" and 9.2.6 "Interpreting an event stream"
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). The
// standard describes a browser that consumes events; a gateway forwards them,
// so [Parser] reports frames, each with its bytes as received, and also those
// that a browser would not dispatch (comments, ids, blank lines).
package wire
