package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// narrator tells what happens and how long it took.
type narrator struct {
	out   io.Writer
	begun time.Time
	steps int
}

func newNarrator(out io.Writer) *narrator { return &narrator{out: out} }

// width is that of the text; the times stand to its right.
const width = 100

// step tells what is about to happen, does it, and prints what was seen with the time that it took.
func (n *narrator) step(
	ctx context.Context, title, why string, do func(context.Context) (seen string, err error),
) error {
	n.steps++
	fmt.Fprintf(n.out, "\n%2d. %s\n", n.steps, title)
	n.paragraph(why)
	begun := time.Now()
	seen, err := do(ctx)
	took := time.Since(begun)
	if err != nil {
		fmt.Fprintf(n.out, "    FAILED after %.1f s\n", took.Seconds())
		return fmt.Errorf("step %d, %s: %w", n.steps, title, err)
	}
	lines := strings.Split(seen, "\n")
	for i, line := range lines {
		mark := "  "
		if i == 0 {
			mark = "ok"
		}
		if i < len(lines)-1 {
			fmt.Fprintf(n.out, "    %s %s\n", mark, line)
			continue
		}
		fmt.Fprintf(n.out, "    %s %-*s %6.1f s\n", mark, width-7, line, took.Seconds())
	}
	return nil
}

// paragraph breaks text into lines.
func (n *narrator) paragraph(text string) {
	line := "   "
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			fmt.Fprintln(n.out, line)
			line = "   "
		}
		line += " " + word
	}
	fmt.Fprintln(n.out, line)
}
