// Package sdks runs the clients that people have against a gateway: OpenAI's own SDKs for Python, JavaScript and Go, LangChain and
// the Vercel AI SDK. Each gets the same scenarios at every endpoint under /v1, from one table, with a scripted model behind the
// gateway that has all of OpenAI's APIs, or only one of them.
//
// A library is driven by a small program, which takes a request a line and says what came of it; Go's is driven in process.
// docs/clients.md is written from the table.
package sdks
