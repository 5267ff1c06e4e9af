// Package load reads the status of each gateway once a second, and remembers it per LLMService.
//
// Every replica of the manager polls, because each of them serves the metrics API. The status has four
// readers: the metrics API (in-flight), the reconciler (config acknowledgement), the scale-down order (idlest first)
// and the count of streams that a replica left without an end.
package load
