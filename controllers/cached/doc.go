// Package cached decides what the operator's caches hold: of each object the parts that the operator reads, and of objects
// that are not part of a service only the name and the owner. Anyone who may create objects can label them as ours, as many
// and as large as quotas permit; they must not be able to fill the operator's memory.
package cached
