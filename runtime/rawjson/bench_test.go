package rawjson

import (
	"fmt"
	"strings"
	"testing"
)

// chat is the body of a chat request of about so many bytes, with the escapes and the letters that texts have.
func chat(size int) []byte {
	const message = `{"role":"user","content":"What is due, and when? Say it in \"plain\" words.\n\n- Grüße aus Köln, and thanks for the list of open ` +
		`invoices; it has twelve rows, of which the last is ours\n"}`
	messages := []string{`{"role":"user","content":"What is due?"}`}
	for n := 0; n < size-200; n += len(message) + 1 {
		messages = append(messages, message)
	}
	return fmt.Appendf(nil, `{"model":"gpt-small","temperature":0.2,"max_tokens":256,"stream":true,"stop":["\n\n"],"user":"u-17",`+
		`"stream_options":{"include_usage":true},"messages":[%s]}`, strings.Join(messages, ","))
}

// documents are the bodies that are measured, each by its name.
func documents() map[string][]byte {
	var names []string
	for i := range 8 << 10 {
		names = append(names, fmt.Sprintf(`"%d":%d`, i, i))
	}
	return map[string][]byte{
		"200B": chat(200), "8KiB": chat(8 << 10), "128KiB": chat(128 << 10),
		"text": []byte(`{"text":"` + long + `"}`), "Chinese": []byte(`{"text":"` + strings.Repeat("北京的天气怎么样？", 128<<10/27) + `"}`),
		"numbers": []byte(`{"embedding":[` + strings.Repeat("-0.0123456789,", 8<<10) + `0]}`), "names": []byte(`{` + strings.Join(names, ",") + `}`),
		"lists": []byte(`{"a":[` + strings.Repeat(`[],`, 32<<10) + `[]]}`), "pretty": []byte(`{"a":[` + strings.Repeat("\n        {\n            \"a\": 1,\n            \"b\": \"text\"\n        },", 2<<10) + `[]]}`),
	}
}

func BenchmarkMembers(b *testing.B) {
	for name, doc := range documents() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if Members(doc, func([]byte, Span) {}) != nil {
					b.Fatal("it is refused")
				}
			}
		})
	}
}

func BenchmarkMembersSaid(b *testing.B) {
	for name, doc := range documents() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if MembersSaid(doc, func([]byte, Span) {}) != nil {
					b.Fatal("it is refused")
				}
			}
		})
	}
}

// A document costs no memory, except for what its size or its names ask for.
func TestReadingAllocatesNothing(t *testing.T) {
	for _, size := range []int{200, 8 << 10, 128 << 10} {
		doc := chat(size)
		for name, read := range map[string]func(){
			"Members":     func() { _ = Members(doc, func([]byte, Span) {}) },
			"MembersSaid": func() { _ = MembersSaid(doc, func([]byte, Span) {}) },
			"Descend":     func() { _ = Descend(doc, func(d *Descent) { d.Members(func([]byte) { d.Elements(func(int) {}) }) }) },
		} {
			least := testing.AllocsPerRun(1, read)
			for range 20 { // the race detector takes from pools what it likes
				least = min(least, testing.AllocsPerRun(1, read))
			}
			if least > 0 {
				t.Errorf("%s of %d bytes: %v allocations", name, len(doc), least)
			}
		}
	}
}
