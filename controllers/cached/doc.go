// Package cached says what the operator's caches hold: of each object what the operator reads, and of objects that are
// no part of a service no more than whose they are. Whoever may create objects can label them as ours, as many and as
// large as quotas let them; the memory that they cost must not be theirs to choose.
package cached
