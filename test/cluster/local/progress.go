package local

import (
	"bufio"
	"io"
	"log"
	"time"
)

// follow prints each stage that the supervisor reports, with the time it was
// reached at, until the supervisor closes its end.
func follow(progress io.Reader, out *log.Logger, begun time.Time) {
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		out.Printf("%5.1fs  %s", time.Since(begun).Seconds(), lines.Text())
	}
}
