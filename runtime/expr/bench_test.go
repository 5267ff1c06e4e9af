package expr

import "testing"

func BenchmarkNewEnv(b *testing.B) {
	vars := typedVars(b)
	for b.Loop() {
		if _, err := NewEnv(vars); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConfiguration compiles what a large configuration holds: 500 templates in 250 places.
func BenchmarkConfiguration(b *testing.B) {
	vars := typedVars(b)
	for b.Loop() {
		for range 250 {
			env, err := NewEnv(vars)
			if err != nil {
				b.Fatal(err)
			}
			for _, text := range []string{
				"Use only: ${steps.context.wiki.title.orValue('')}. Answer ${request.body.q}",
				"${request.body.items.map(i, i.price.orValue(0.0) * 1.5)}",
			} {
				if _, err := env.Compile(text); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}
