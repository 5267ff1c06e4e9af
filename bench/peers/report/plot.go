package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
)

// panel is a column of the plot: one metric, on a logarithmic scale.
type panel struct {
	metric          Metric
	title, subtitle string
}

var panels = []panel{
	{Unary64, "Whole answer", "µs of processor time"},
	{Event, "Streamed event", "µs of processor time"},
	{Stream, "Held stream", "KiB of memory"},
	{P99, "Added latency", "µs at the 99th percentile"},
}

// The measures of the plot, in its own units.
const (
	labelWidth = 262
	panelWidth = 208
	panelGap   = 36
	headHeight = 92
	rowHeight  = 30
	footHeight = 58
)

// style has a palette for light pages and one for dark ones. The plot has a background of its own, so that it can be read if
// a page does not follow the reader's preference.
const style = `
  svg { --paper: #ffffff; --ink: #1c2128; --soft: #667180; --rule: #e3e8ee; --ours: #0b6bcb; --peer: #7c8794; --mark: #d9680c; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #10151c; --ink: #e8edf3; --soft: #94a1b0; --rule: #27303b; --ours: #58a8ff; --peer: #93a0ae; --mark: #f0924a; }
  }
  text { font: 13px -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; fill: var(--ink); }
  .paper { fill: var(--paper); stroke: var(--rule); }
  .title { font-size: 17px; font-weight: 600; }
  .panel { font-weight: 600; }
  .soft { fill: var(--soft); font-size: 11.5px; }
  .rule { stroke: var(--rule); }
  .guide { stroke: var(--rule); stroke-dasharray: 1 4; stroke-linecap: round; }
  .mark { stroke: var(--mark); stroke-dasharray: 4 3; opacity: .75; }
  .band { fill: var(--ours); opacity: .09; }
  .peer { fill: var(--peer); }
  .ours { fill: var(--ours); }
  .value { font-size: 11.5px; font-variant-numeric: tabular-nums; }
  .name.own, .value.own { fill: var(--ours); font-weight: 600; }
`

// Plot draws the rows as dots, as SVG: a row for each peer, a column for each of the panels.
func (r *Run) Plot() []byte {
	rows := r.plotted()
	height := headHeight + len(rows)*rowHeight + footHeight
	width := labelWidth + len(panels)*(panelWidth+panelGap) + panelGap
	c := &canvas{}
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, escape(r.alternative()))
	c.printf("<style>%s</style>\n", style)
	c.printf(`<rect class="paper" x="0.5" y="0.5" width="%d" height="%d" rx="10"/>`+"\n", width-1, height-1)
	c.text(24, 34, "title", "start", "What a request costs, each program on one core")
	for i, row := range rows {
		y := headHeight + i*rowHeight
		name := "name"
		if row.Ours {
			name = "name own"
			c.printf(`<rect class="band" x="10" y="%d" width="%d" height="%d" rx="6"/>`+"\n", y+1, width-20, rowHeight-2)
		}
		c.text(24, float64(y)+rowHeight/2+4.5, name, "start", row.Name)
		if len(row.Figures) == 0 {
			c.text(labelWidth+8, float64(y)+rowHeight/2+4.5, "soft", "start", oneLine(row.Missing))
		}
	}
	for i, p := range panels {
		r.panel(c, p, rows, float64(labelWidth+i*(panelWidth+panelGap)))
	}
	c.text(24, float64(height-18), "soft", "start",
		"Smaller is better; scales are logarithmic; the dashed line is "+r.Outside+". "+r.Date+". "+r.Machine+".")
	c.printf("</svg>\n")
	return c.Bytes()
}

// plotted are the rows of the plot: those with figures from the cheapest answer on, and then the others.
func (r *Run) plotted() []*Row {
	rows := slices.DeleteFunc(slices.Clone(r.Rows), func(row *Row) bool { return row.Aside })
	key := func(row *Row) float64 {
		if v := row.Figure(Unary64); !math.IsNaN(v) {
			return v
		}
		return math.Inf(1)
	}
	slices.SortStableFunc(rows, func(a, b *Row) int { return cmp.Compare(key(a), key(b)) })
	return rows
}

func (r *Run) panel(c *canvas, p panel, rows []*Row, left float64) {
	c.text(left, 62, "panel", "start", p.title)
	c.text(left, 78, "soft", "start", p.subtitle)
	s, ok := scaleOf(rows, p.metric, left)
	if !ok {
		return
	}
	top, bottom := float64(headHeight), float64(headHeight+len(rows)*rowHeight)
	for v := s.low; v <= s.high*1.01; v *= 10 {
		c.printf(`<line class="rule" x1="%.1f" x2="%.1f" y1="%.0f" y2="%.0f"/>`+"\n", s.x(v), s.x(v), top, bottom+4)
		c.text(s.x(v), bottom+18, "soft", "middle", power(v))
	}
	if base := Find(rows, r.Outside); base != nil && base.Figure(p.metric) > 0 {
		x := s.x(base.Figure(p.metric))
		c.printf(`<line class="mark" x1="%.1f" x2="%.1f" y1="%.0f" y2="%.0f"/>`+"\n", x, x, top-4, bottom+4)
	}
	for i, row := range rows {
		if v := row.Figure(p.metric); !math.IsNaN(v) {
			c.dot(s, v, float64(headHeight+i*rowHeight)+rowHeight/2, row.Ours)
		}
	}
}

// dot draws a figure, with its value where there is room.
func (c *canvas) dot(s scale, v, y float64, ours bool) {
	x, value := s.x(math.Max(v, s.low)), number(v)
	kind, of := "peer", "value"
	if ours {
		kind, of = "ours", "value own"
	}
	c.printf(`<line class="guide" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n", s.left, s.left+panelWidth, y, y)
	c.printf(`<circle class="%s" cx="%.1f" cy="%.1f" r="5"/>`+"\n", kind, x, y)
	if x > s.left+panelWidth-52 {
		c.text(x-9, y+4, of, "end", value)
		return
	}
	c.text(x+9, y+4, of, "start", value)
}

// scale is logarithmic, from one power of ten to another.
type scale struct{ low, high, left float64 }

func scaleOf(rows []*Row, m Metric, left float64) (s scale, ok bool) {
	low, high := math.Inf(1), 0.0
	for _, row := range rows {
		if v := row.Figure(m); v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if high == 0 {
		return s, false
	}
	s = scale{low: math.Pow(10, math.Floor(math.Log10(low))), high: math.Pow(10, math.Ceil(math.Log10(high))), left: left}
	if s.high <= s.low {
		s.high = s.low * 10
	}
	return s, true
}

func (s scale) x(v float64) float64 {
	return s.left + panelWidth*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// power writes a power of ten in little room.
func power(v float64) string {
	switch {
	case v > 0.9e6:
		return number(v/1e6) + "M"
	case v > 900:
		return number(v/1e3) + "k"
	}
	return number(v)
}

type canvas struct{ bytes.Buffer }

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(c, format, args...) }

func (c *canvas) text(x, y float64, class, anchor, text string) {
	c.printf(`<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, escape(text))
}

func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}
