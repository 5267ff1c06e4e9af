//go:build race

package gateway

// perEvent is how many allocations an event may cost: under the race detector, pools lose a quarter of what they are given.
const perEvent = 2

// lostOfRequests is how many allocations a request costs because pools lose what they are given.
const lostOfRequests = 25
