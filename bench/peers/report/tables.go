package report

import (
	"fmt"
	"slices"
	"strings"
)

// Run is everything that a page says.
type Run struct {
	// Date and Machine are those of the run.
	Date, Machine string
	// Load says how much was asked.
	Load string
	Rows []*Row
	// Outside and Ours are the names of the rows to which ratios are computed.
	Outside, Ours string
}

// Tables writes the figures as Markdown.
func (r *Run) Tables() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %s.\n\n%s\n", r.Date, r.Machine, r.Load)
	for _, t := range []struct {
		title string
		of    []Metric
	}{
		{"Processor time, in µs: for a whole answer by the size of the request's body, for an event of a paced stream, and for a new " +
			"connection with one answer", []Metric{Unary64, Unary8K, Unary128K, Steady, Event, Churn}},
		{
			"Memory and time: KiB for each silent stream that is held open; MiB of the program at rest; µs that are added to a whole " +
				"answer at a fixed rate, and µs until the first byte of a stream; ms from the start of the program to its first answer",
			[]Metric{Stream, Rest, P50, P99, First50, First99, Start},
		},
	} {
		fmt.Fprintf(&b, "\n%s:\n\n", t.title)
		r.table(&b, t.of, func(row *Row, m Metric) string { return number(row.Figure(m)) })
	}
	ratios := []Metric{Unary64, Unary8K, Unary128K, Steady, Event, Churn, Stream, P99}
	for _, to := range []string{r.Outside, r.Ours} {
		base := Find(r.Rows, to)
		if base == nil {
			fmt.Fprintf(&b, "\nThere are no ratios to %s, because it has no figures.\n", to)
			continue
		}
		fmt.Fprintf(&b, "\nThe same as ratios to %s:\n\n", to)
		r.table(&b, ratios, func(row *Row, m Metric) string { return times(Ratio(row, base, m)) })
	}
	r.programs(&b)
	return b.String()
}

func (r *Run) table(b *strings.Builder, of []Metric, cell func(*Row, Metric) string) {
	b.WriteString("| |")
	for _, m := range of {
		b.WriteString(" " + m.Title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(of)) + "\n")
	for _, row := range r.Rows {
		if row.Missing == "" && !slices.ContainsFunc(of, func(m Metric) bool { return len(row.Figures[m.Key]) > 0 }) {
			continue
		}
		b.WriteString("| " + row.label() + " |")
		for i, m := range of {
			switch {
			case len(row.Figures) > 0:
				b.WriteString(" " + cell(row, m) + " |")
			case i == 0:
				b.WriteString(" " + oneLine(row.Missing) + " |")
			default:
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
}

func (r *Row) label() string {
	if r.Ours {
		return "**" + r.Name + "**"
	}
	return r.Name
}

// programs lists versions, and what was different for each.
func (r *Run) programs(b *strings.Builder) {
	b.WriteString("\n| | version | load |\n|---|---|---|\n")
	for _, row := range r.Rows {
		notes := row.Notes
		if row.Missing != "" {
			notes = strings.TrimPrefix(notes+"; "+row.Missing, "; ")
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", row.label(), oneLine(row.About), oneLine(notes))
	}
}

// oneLine is a text that may stand in a cell.
func oneLine(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "/")
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return text
}
