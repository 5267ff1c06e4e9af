package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"syscall"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream/http1"
)

// transportError is what went wrong with a connection, in words of our own. The errors of net/http quote what came: status
// lines, header fields, lengths and certificates, and an invalid URL, which may hold what a client has sent.
type transportError struct {
	text  string
	cause error // for errors.Is and errors.As, never for logs
}

func (e *transportError) Error() string { return e.text }

func (e *transportError) Unwrap() error { return e.cause }

// plainly puts an error of a connection into words from a closed set. A failure, with which a context may have ended, stays as
// it is.
func plainly(err error) error {
	if _, own := errors.AsType[relay.Failure](err); own {
		return err
	}
	return &transportError{text: fault(err), cause: err}
}

// plainBody is an answer's body whose errors are in words of our own.
type plainBody struct{ io.ReadCloser }

// Read implements io.Reader.
func (b plainBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // not wrapped, as io.Reader demands
		err = plainly(err)
	}
	return n, err
}

// ReadLent implements lending. Answers of net/http have buffers of their own in any case.
func (b plainBody) ReadLent(l http1.Lender) (int, error) {
	ours, ok := b.ReadCloser.(*http1.Answer)
	if !ok {
		return b.Read(l.Lend())
	}
	n, err := ours.ReadLent(l)
	if err != nil && err != io.EOF { //nolint:errorlint // not wrapped, as io.Reader demands
		err = plainly(err)
	}
	return n, err
}

func fault(err error) string {
	for _, of := range []func(error) string{ofOurs, ofTime, ofNames, ofSystem, ofTLS, ofHTTP} {
		if text := of(err); text != "" {
			return text
		}
	}
	return "the connection failed"
}

func ofOurs(err error) string {
	if p, ok := errors.AsType[proxyError](err); ok {
		return p.Error()
	}
	f, _ := errors.AsType[http1.FaultError](err)
	return f.Error()
}

func ofTime(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "the call was cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "the time ran out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "server closed idle connection"):
		return "the connection ended too early"
	}
	return ""
}

func ofNames(err error) string {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return ""
	case dns.IsNotFound:
		return "the host's name is not known"
	case dns.IsTimeout:
		return "the host's name was not resolved in time"
	}
	return "the host's name could not be resolved"
}

// refusals are the errors of the system, and of the rules for addresses, about connections.
var refusals = []struct {
	cause error
	text  string
}{
	{addresses.ErrRefused, "the gateway may not connect to the host's address"},
	{syscall.ECONNREFUSED, "the connection was refused"},
	{syscall.ECONNRESET, "the connection was reset"},
	{syscall.EPIPE, "the connection was closed while the request was being sent"},
	{net.ErrClosed, "the connection was closed"},
	{syscall.EHOSTUNREACH, "there is no route to the host"},
	{syscall.ENETUNREACH, "there is no route to the host"},
	{syscall.EMFILE, "this process has no more file descriptors"},
	{syscall.ENFILE, "this machine has no more file descriptors"},
	{syscall.EADDRNOTAVAIL, "this machine has no more ports"},
}

func ofSystem(err error) string {
	for _, r := range refusals {
		if errors.Is(err, r.cause) {
			return r.text
		}
	}
	return ""
}

func ofTLS(err error) string {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "TLS: the server does not support it"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "TLS: the server does not support it"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "TLS: the certificate is from an unknown authority"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "TLS: the certificate is for another name"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return "TLS: the certificate has expired or is not valid yet"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "TLS: the certificate is not valid"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "TLS: the server refused the handshake"
	}
	return ""
}

// phrases are parts of the errors of net/http and crypto/tls that have no type, in the order in which they are looked for. What
// an upstream has sent follows them, and can at most decide which of our texts is used.
var phrases = []struct{ theirs, ours string }{
	{"stream error: ", "HTTP/2: the server ended the answer too early"},
	{"GOAWAY", "HTTP/2: the server closed the connection"},
	{"http2: ", "HTTP/2: the server broke the protocol"},
	{"TLS handshake timeout", "TLS: the handshake did not finish in time"},
	{"tls: ", "TLS: the handshake failed"},
	{"x509: ", "TLS: the certificate is not valid"},
	{"i/o timeout", "the time ran out"},
	{"server response headers exceeded", "the head of the answer is too long"},
	{"read limit of ", "the head of the answer is too long"},
	{"1xx", "there were too many informational answers"},
	{"invalid header", "the request has a header field that HTTP does not allow"},
	{"malformed HTTP", "the head of the answer is malformed"},
	{"Content-Length", "the head of the answer is malformed"},
	{"ransfer", "the head of the answer is malformed"}, // encodings, in both spellings
	{"railer", "the end of the answer is malformed"},
	{"chunk", "the chunks of the answer are malformed"},
	{"header line too long", "the chunks of the answer are malformed"},
	{"transport connection broken", "the connection broke"},
}

func ofHTTP(err error) string {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return "the URL of the request is not valid"
	}
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return "the head of the answer is malformed"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && !strings.Contains(err.Error(), "TLS") {
		return "the time ran out"
	}
	for _, p := range phrases {
		if strings.Contains(err.Error(), p.theirs) {
			return p.ours
		}
	}
	return ""
}
