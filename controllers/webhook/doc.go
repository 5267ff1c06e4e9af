// Package webhook answers the API server's questions whether an LLMService may be stored (admission.k8s.io/v1).
//
// It refuses only a spec that was checked and cannot be served. Everything else is admitted: what cannot be checked in time, or
// for lack of room, is admitted with a warning, because the status reports the same mistakes later.
//
// The API server does not identify itself to webhooks, so anyone in the cluster may ask. A question costs bounded time and memory,
// and an answer contains nothing but what was asked.
package webhook
