// Package yields counts how often a goroutine gives way to another one.
package yields

import (
	"runtime"
	"sync/atomic"
)

// During is how many turns another goroutine has while something is done. The test sets GOMAXPROCS to 1, so that both share a
// worker.
func During(do func()) int64 {
	var others atomic.Int64
	var done atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; !done.Load(); runtime.Gosched() {
			others.Add(1)
		}
	}()
	do()
	turns := others.Load()
	done.Store(true)
	<-ended
	return turns
}
