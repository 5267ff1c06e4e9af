package local

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// follow prints each stage that the supervisor reports, with the time it was
// reached at, until the supervisor closes its end.
func follow(progress io.Reader, log io.Writer, begun time.Time) {
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		fmt.Fprintf(log, "%5.1fs  %s\n", time.Since(begun).Seconds(), lines.Text())
	}
}
