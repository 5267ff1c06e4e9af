package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The lines between which a run writes. What stands before and after them is a person's, and is kept.
const (
	begin = "<!-- The rest is written by make bench-peers, up to its end. -->"
	end   = "<!-- This is the end of what make bench-peers writes. -->"
)

// fresh is a page that has no text of a person yet.
const fresh = "# Benchmarks\n\n" + begin + "\n" + end + "\n"

// Write writes the figures into a page, and a plot next to it.
func (r *Run) Write(page string) error {
	text, err := os.ReadFile(page)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(fresh)
	} else if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	plot := strings.TrimSuffix(page, filepath.Ext(page)) + ".svg"
	written, err := splice(string(text), "\n!["+r.alternative()+"]("+filepath.Base(plot)+")\n\n"+r.Tables()+"\n")
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	//nolint:gosec // a page that everyone may read
	if err := errors.Join(os.WriteFile(page, []byte(written), 0o644), os.WriteFile(plot, r.Plot(), 0o644)); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// splice puts a text between the two lines of a page.
func splice(page, text string) (string, error) {
	before, rest, opens := strings.Cut(page, begin)
	_, after, closes := strings.Cut(rest, end)
	if !opens || !closes {
		return "", fmt.Errorf("it has no place for the figures, want a line %q and, after it, a line %q", begin, end)
	}
	return before + begin + "\n" + text + end + after, nil
}

// alternative is what the plot shows, for those who do not see it.
func (r *Run) alternative() string {
	return "Processor time for a whole answer and for an event, memory for a held stream and added latency of each peer, as dots on " +
		"logarithmic scales; the tables below have the figures"
}
