package render_test

import (
	"testing"

	"github.com/llmservice/llmservice/controllers/render"
)

// BenchmarkContract is what a changed spec costs before it is compiled: its contract, for a small service and for one that
// sets every field. A settled service has its contract already.
func BenchmarkContract(b *testing.B) {
	for _, name := range []string{"minimal", "full", everyField} {
		b.Run(name, func(b *testing.B) {
			s := service(b, name)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := render.Contract(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
