//go:build !race

package relay

const spoils = false
