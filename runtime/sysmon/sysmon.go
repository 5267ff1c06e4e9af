// Package sysmon reads and writes sockets without waking the monitor of Go's scheduler, runtime.sysmon.
//
// The monitor sleeps while all workers are idle. A system call of package syscall wakes it, because it may block, and the monitor
// then looks around every 20 µs until all workers are idle again: for an event that is read, written and followed by silence, that
// is a fifth of all its processor time. A socket of Go's never blocks, so that it needs no monitor.
//
// What else the monitor does is to take workers from goroutines that have had theirs for 10 ms. So it is woken wherever much work
// may follow: after much has been read, and by Wake.
package sysmon

// much is from how many bytes on a read wakes the monitor: what is done with fewer takes less time than it allows.
const much = 4 << 10
