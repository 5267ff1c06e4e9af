package gateway

import (
	"runtime/debug"
	"sync"
)

// unstamped is what the Go toolchain calls a program that was not built from a commit.
const unstamped = "(devel)"

// programVersion is the version that the Go toolchain stamped into this program; empty if it stamped none.
var programVersion = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == unstamped {
		return ""
	}
	return info.Main.Version
})
