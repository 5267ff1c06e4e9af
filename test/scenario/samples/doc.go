// Package samples knows what each manifest of config/samples is there to show, and checks it on a running service: in a
// process of a test's own, or on a cluster.
//
// No check looks at a clock. That calls are made at the same time is proven by upstreams that answer only once all of
// them have come, and that tokens are passed on as they come by an upstream that never says the last.
package samples
