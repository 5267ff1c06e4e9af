//go:build !race

package relay

const spoils, leastLent = false, lentStep
