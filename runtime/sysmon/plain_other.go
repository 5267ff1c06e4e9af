//go:build !unix

package sysmon

// Wake does nothing: no call is made without the monitor.
func Wake() {}
