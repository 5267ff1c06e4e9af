package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// uncoded asks for an answer as it is. Without the field, a server may choose any coding (RFC 9110, section 12.5.3).
const uncoded = "identity"

// codings are the names of content codings (IANA's registry, with the older names of RFC 9110, section 8.4.1), with the names
// that errors use: an upstream's words are not repeated.
var codings = map[string]string{
	"gzip": "gzip", "x-gzip": "gzip", "compress": "compress", "x-compress": "compress", "deflate": "deflate",
	"br": "br", "zstd": "zstd", "dcb": "dcb", "dcz": "dcz", "exi": "exi", "pack200-gzip": "pack200-gzip",
	"lz4": "lz4", "snappy": "snappy", "bzip2": "bzip2", "xz": "xz",
}

// coded returns an error if the answer has a content coding: none was asked for, and its bytes would be taken for text.
func coded(h http.Header) error {
	if len(h["Content-Encoding"]) == 0 {
		return nil
	}
	for coding := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding == "" || coding == uncoded {
			continue
		}
		if name, known := codings[coding]; known {
			return fmt.Errorf("the answer is compressed (%s), which was not requested", name)
		}
		return errors.New("the answer has an unknown content coding, which was not requested")
	}
	return nil
}

// MediaType is the type that an answer states, in lower case and without parameters; empty if it states none. Errors in the
// parameters do not matter.
func MediaType(h http.Header) string {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// IsJSON reports whether a media type is JSON (RFC 8259, and the suffix of RFC 6839).
func IsJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

const eventStream = "text/event-stream"

// types are media types that were not asked for, with the names that errors use.
var types = map[string]string{
	"text/html": "HTML", "application/xhtml+xml": "HTML", "text/plain": "plain text", eventStream: "an event stream",
	"application/xml": "XML", "text/xml": "XML", "application/octet-stream": "binary data", "text/csv": "CSV",
	"application/x-ndjson": "lines of JSON", "application/jsonl": "lines of JSON", "application/jsonlines": "lines of JSON",
	"application/x-www-form-urlencoded": "a form", "application/pdf": "PDF", "application/grpc": "gRPC",
	"application/vnd.amazon.eventstream": "Amazon's event stream",
}

// called is the name of a media type in errors: ours, never the upstream's words.
func called(media string) string {
	if name, known := types[media]; known {
		return name
	}
	major, _, _ := strings.Cut(media, "/")
	switch {
	case media == "":
		return "of no stated type"
	case IsJSON(media):
		return "JSON"
	case major == "image", major == "audio", major == "video":
		return "of the type " + major
	case major == "multipart":
		return "in several parts"
	}
	return "of another type"
}

// unread adds to the error of a whole answer what explains it: that the answer has no body, or is not JSON.
func unread(a *Fetched, err error) error {
	media := MediaType(a.Header)
	switch {
	case len(a.Body) == 0:
		return errors.New("the answer has no body")
	case media == "" || IsJSON(media):
		return err
	}
	return fmt.Errorf("the answer is %s, not JSON: %w", called(media), err)
}

// refusesToStream returns why an answer is not the event stream that was asked for. One without a type may be one: SDKs read
// it, too.
func refusesToStream(status int, h http.Header) error {
	if err := coded(h); err != nil {
		return err
	}
	switch media := MediaType(h); {
	case status == http.StatusNoContent, status == http.StatusResetContent:
		return errors.New("the answer has no body")
	case media == "" || media == eventStream:
		return nil
	default:
		return fmt.Errorf("the answer is %s, not an event stream", called(media))
	}
}

// successful reports whether the status is one of RFC 9110, section 15.3.
func successful(status int) bool { return status/100 == 2 }
