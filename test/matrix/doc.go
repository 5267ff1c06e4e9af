// Package matrix sends requests through a gateway whose upstreams fail in every way at every place: each fault, at offsets in
// every phase of an answer, on every kind of path. The upstreams keep a ledger of what they were asked and what they sent, and
// each answer that a client gets is held against it.
package matrix
