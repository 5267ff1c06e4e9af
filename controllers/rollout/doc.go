// Package rollout decides which services may replace their pods now because the operator wants it: after an upgrade, every
// service may want another pod template at once. It is pure: it knows no client and no clock.
package rollout
