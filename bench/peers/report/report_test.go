package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func run() *Run {
	row := func(name string, unary ...float64) *Row {
		r := &Row{Name: name, About: "1.0"}
		for _, v := range unary {
			r.Add(Unary64, v)
			r.Add(Steady, v/2)
			r.Add(Event, 2*v)
			r.Add(P99, v-40)
		}
		return r
	}
	ours := row("ours", 30, 60, 31)
	ours.Ours = true
	return &Run{
		Date: "2026-11-30", Machine: "a machine", Load: "Some load.", Outside: "proxy", Ours: "ours",
		Rows: []*Row{ours, row("proxy", 20), row("slow & <old>", 12345), {Name: "none", Missing: "not installed: make bench-deps"}},
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0.123: "0.12", 0.999: "0.999", 1.234: "1.23", 17.06: "17.1", 99.6: "100", 123.4: "123", 12345.6: "12,346", 1234567: "1,234,567", -1234: "-1,234", -0.5: "-0.50",
	} {
		if got := number(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{1: "1.00×", 1.506: "1.51×", 12.34: "12.3×", 542.3: "542×"} {
		if got := times(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	if number(math.NaN())+times(math.NaN()) != "––" {
		t.Error("figures that are missing")
	}
}

func TestRatio(t *testing.T) {
	rows := run().Rows
	if got := Ratio(rows[0], rows[1], Unary64); got != 1.55 {
		t.Errorf("the median of 30, 60 and 31 to 20: %v", got)
	}
	for name, got := range map[string]float64{
		"below zero": Ratio(rows[0], rows[1], P99), "to nothing": Ratio(rows[0], nil, Unary64), "of nothing": Ratio(rows[3], rows[1], Unary64),
		"to a figure that is missing": Ratio(rows[0], rows[1], Stream),
	} {
		if !math.IsNaN(got) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTables(t *testing.T) {
	text := run().Tables()
	for _, want := range []string{
		"| **ours** | 31 | – | – | 15.5 | 62 | – |\n", "| proxy | 20 | – | – | 10 | 40 | – |\n", "| slow & <old> | 12,345 |",
		"| **ours** | 1.55× | – | – | 1.55× | 1.55× | – | – | – |\n", "| proxy | 0.65× |", "| slow & <old> | 617× |",
		"| none | not installed: make bench-deps | | | | | |\n", "| none |  | not installed: make bench-deps |\n",
		"2026-11-30. a machine.", "Some load.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	r := run()
	r.Outside = "none"
	if text := r.Tables(); !strings.Contains(text, "There are no ratios to none") {
		t.Errorf("ratios to a peer without figures:\n%s", text)
	}
}

func TestPlotIsWellFormed(t *testing.T) {
	r := run()
	r.Rows = append(r.Rows, &Row{Name: "left out", Aside: true})
	plot := r.Plot()
	for d := xml.NewDecoder(bytes.NewReader(plot)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, plot)
		}
	}
	text := string(plot)
	for _, want := range []string{">ours<", ">proxy<", "slow &amp; &lt;old&gt;", "not installed: make bench-deps", `class="ours"`, "12,345", "prefers-color-scheme: dark"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q", want)
		}
	}
	if strings.Contains(text, "left out") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("what does not belong there:\n%s", text)
	}
	if strings.Index(text, ">proxy<") > strings.Index(text, ">ours<") {
		t.Error("the cheapest answer is not the first")
	}
}

func TestTheTextOfAPersonIsKept(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := run().Write(page); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), "# Benchmarks\n", "# Benchmarks\n\nWords.\n", 1) + "\nMore words.\n"
	edited = strings.Replace(edited, "12,345", "6", 1)
	if err := os.WriteFile(page, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run().Write(page); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(edited, "| 6 |", "| 12,345 |", 1); string(again) != want {
		t.Errorf("got\n%s\nwant\n%s", again, want)
	}
	if !strings.Contains(string(again), "](page.svg)") {
		t.Error("the plot is not on the page")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(page), "page.svg")); err != nil {
		t.Error(err)
	}
}

func TestAPageWithoutAPlace(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("# Mine\n"+end+"\n"+begin), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run().Write(page); err == nil || !strings.Contains(err.Error(), "want a line") {
		t.Errorf("%v", err)
	}
}
