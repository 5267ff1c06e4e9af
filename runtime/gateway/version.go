package gateway

import (
	"runtime/debug"
	"sync"
)

// unstamped is what the Go toolchain calls a program that was not built from a commit.
const unstamped = "(devel)"

// stamped is the version that a build without the repository, such as that of the Dockerfile, sets with -ldflags -X. It must stay a
// variable of this name: the linker ignores one that it does not find.
var stamped string

// programVersion is the version of this program, and empty if its build stamped none.
var programVersion = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return stamped
	}
	return versionOf(stamped, info.Main.Version)
})

// versionOf prefers what the Go toolchain knows of the commit to what a build says of itself.
func versionOf(build, toolchain string) string {
	if toolchain == "" || toolchain == unstamped {
		return build
	}
	return toolchain
}
