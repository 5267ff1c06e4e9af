// Package http1 makes calls over HTTP/1.1 (RFC 9112) on connections that it is given, and keeps those that can be used again.
// The goroutine that makes a call writes the request and reads the answer itself. The package follows no redirects, keeps no
// cookies, and asks for no coding; it knows neither names nor certificates, which are the dialler's.
//
// Its framing is strict: an answer that two recipients could read differently is refused, or its connection is not used again.
package http1
