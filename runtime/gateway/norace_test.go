//go:build !race

package gateway

// perEvent is how many allocations an event may cost.
const perEvent = 0

// lostOfRequests is how many allocations a request costs because pools lose what they are given.
const lostOfRequests = 0
