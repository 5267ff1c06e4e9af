package supervise

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// tailBytes bounds what LogTail reads; a log line of Kubernetes is a few
// hundred bytes.
const tailBytes = 16 << 10

// LogTail returns the last lines of a log, or why it cannot be read: it serves
// error messages, which should not fail themselves.
func LogTail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-tailBytes), io.SeekStart)
	}
	data, err := io.ReadAll(io.LimitReader(f, tailBytes))
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	all := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
