// Package streams is a crowd of clients that hold streamed chats open and judge how each of them ends.
//
// It is the truth that a gateway's own figures are compared with, so it shares no code with the gateway: it reads
// server-sent events in its own, simple way, and checks every token.
package streams
