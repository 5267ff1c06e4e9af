// Package matrix sends requests through a gateway whose upstreams fail in every way at every place: each fault, at offsets in
// every phase of an answer, at every API, passed and translated, and on every kind of route. The upstreams keep a ledger of what
// they were asked and what they sent, and each answer that a client gets is compared with it. They also repeat the gateway's key
// and the client's prompt, which no log and no page of the gateway may have.
package matrix
