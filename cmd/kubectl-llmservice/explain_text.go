package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/bounds"
)

// brief is a duration as manifests have it.
func brief(d config.Duration) string { return bounds.Latency{Max: d}.String() }

// table aligns the cells of its rows.
type table struct{ *tabwriter.Writer }

func newTable(out io.Writer) table { return table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)} }

// row has no empty cells at its end: they would become spaces.
func (t table) row(cells ...string) {
	fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

// printRoutes prints one line for each route.
func printRoutes(out io.Writer, all []*explained) error {
	t := newTable(out)
	t.row("ROUTE", "LATENCY", "CALLS", "TOKENS", "WARNINGS", "LATENCY BOUND BY")
	for _, x := range all {
		t.row(x.Method+" "+x.Path, x.Latency.String(), calls(x.Calls), tokens(x.Tokens), strconv.Itoa(len(x.Warnings)), x.Latency.By)
	}
	return t.Flush()
}

// printRoute prints a route, its parts and the functions that it reaches.
func printRoute(out io.Writer, x *explained) error {
	fmt.Fprintln(out, strings.TrimSpace(x.Method+" "+x.Path+"  "+x.Summary)+"\n")
	if err := printTotals(out, x); err != nil {
		return err
	}
	fmt.Fprintln(out)
	t := newTable(out)
	t.row("STEP", "WHAT", "LATENCY", "CALLS", "TOKENS", "LATENCY BOUND BY")
	t.parts(0, x.Dependencies)
	t.parts(0, x.Steps)
	t.parts(0, x.Functions)
	if err := t.Flush(); err != nil {
		return err
	}
	for i, w := range x.Warnings {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "warning: spec.%s\n", w)
	}
	return nil
}

func printTotals(out io.Writer, x *explained) error {
	t := newTable(out)
	if x.Streamed {
		t.row("first content", within(x.Latency.String(), x.Latency.By))
		t.row("stream", within(brief(x.MaxStreamDuration), x.StreamBy))
	} else {
		t.row("latency", within(x.Latency.String(), x.Latency.By))
	}
	t.row("calls", within(calls(x.Calls), x.CallsBy))
	t.row("tokens", within(tokens(x.Tokens), x.Tokens.By)+", and those of the prompts")
	t.row("bytes", within(strconv.Itoa(x.Bytes), "budget.maxBytes"))
	return t.Flush()
}

func within(amount, by string) string {
	if by == "" {
		return amount
	}
	return amount + " (" + by + ")"
}

func (t table) parts(depth int, parts []bounds.Part) {
	for i := range parts {
		p := &parts[i]
		t.row(strings.Repeat("  ", depth)+p.Name, strings.TrimSpace(p.Kind+" "+p.Of),
			p.Latency.String(), calls(p.Calls), tokens(p.Tokens), p.Latency.By)
		t.parts(depth+1, p.Parts)
	}
}

func calls(c bounds.Calls) string {
	if c.Min == c.Max {
		return strconv.Itoa(c.Max)
	}
	return fmt.Sprintf("%d to %d", c.Min, c.Max)
}

func tokens(t bounds.TokenBound) string {
	if t.Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(t.Max)
}
