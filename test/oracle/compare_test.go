package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"mime"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// delta is one thing that FastAPI and LLMService answer differently.
type delta struct {
	request string
	at      string // what differs: status, header NAME, end, detail, order, body…, frames…, bytes
	fastapi string
	gateway string
}

const absent = "(absent)"

// compared are the headers that mean something to a client; Date, Server and framing are each server's own.
var compared = []string{
	"Allow", "Cache-Control", "Content-Encoding", "Content-Type", "Location", "Retry-After", "Vary", "Www-Authenticate", "X-Accel-Buffering",
	"X-Total",
}

// compare gives what differs. Of answers with different statuses, that alone: the rest follows from it.
func compare(r *request, fastapi, gateway *answer) []delta {
	c := comparison{request: r.name}
	c.text("status", fastapi.summary(), gateway.summary(), fastapi.status == gateway.status)
	if fastapi.status != gateway.status {
		return c.found
	}
	for _, name := range compared {
		f, g := fastapi.header.Values(name), gateway.header.Values(name)
		c.text("header "+strings.ToLower(name), joined(f), joined(g), slices.Equal(f, g))
	}
	setF, setG := cookies(fastapi), cookies(gateway)
	c.text("cookies", setF, setG, setF == setG)
	c.text("end", ending(fastapi.cut), ending(gateway.cut), fastapi.cut == gateway.cut)
	if fastapi.streams() && gateway.streams() {
		c.frames(string(stable(fastapi.body)), string(stable(gateway.body)))
		return c.found
	}
	f, errF := decode(fastapi.body)
	g, errG := decode(gateway.body)
	if errF != nil || errG != nil {
		c.text("bytes", string(fastapi.body), string(gateway.body), bytes.Equal(fastapi.body, gateway.body))
		return c.found
	}
	if fs, gs := details(f), details(g); fs != gs {
		at := "detail"
		if slices.Equal(slices.Sorted(strings.FieldsSeq(fs)), slices.Sorted(strings.FieldsSeq(gs))) {
			at = "order"
		}
		c.text(at, fs, gs, false)
		return c.found
	}
	c.values("body", f, g)
	return c.found
}

func joined(values []string) string {
	if values == nil {
		return absent
	}
	return strings.Join(values, ", ")
}

// cookies are those that an answer sets, with their attributes, of which neither the order nor the case means anything. One that is
// deleted needs no value, nor the date that says so once more.
func cookies(a *answer) string {
	var all []string
	for _, line := range a.header.Values("Set-Cookie") {
		pair, rest, _ := strings.Cut(line, ";")
		var attributes []string
		for attribute := range strings.SplitSeq(rest, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(attribute), "="); !strings.EqualFold(name, "expires") {
				attributes = append(attributes, strings.ToLower(name)+"="+strings.ToLower(value))
			}
		}
		slices.Sort(attributes)
		if slices.Contains(attributes, "max-age=0") {
			pair = strings.TrimSuffix(pair, `""`)
		}
		all = append(all, pair+" "+strings.Join(attributes, " "))
	}
	return strings.Join(all, " | ")
}

func ending(cut bool) string {
	if cut {
		return "cut"
	}
	return "whole"
}

func (a *answer) streams() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind == "text/event-stream"
}

// summary names the status, and for a 422 what was wrong where.
func (a *answer) summary() string {
	value, err := decode(a.body)
	if all := details(value); err == nil && all != "" {
		return strconv.Itoa(a.status) + " " + all
	}
	return strconv.Itoa(a.status)
}

// details lists the violations of a 422, in order, as TYPE@LOC.
func details(body any) string {
	object, _ := body.(map[string]any)
	list, _ := object["detail"].([]any)
	var all []string
	for _, item := range list {
		entry, ok := item.(map[string]any)
		if !ok {
			continue
		}
		var loc []string
		steps, _ := entry["loc"].([]any)
		for _, step := range steps {
			loc = append(loc, fmt.Sprint(step))
		}
		all = append(all, fmt.Sprintf("%v@%s", entry["type"], strings.Join(loc, ".")))
	}
	return strings.Join(all, " ")
}

// perReply are the members by which a model tells its replies apart.
var perReply = regexp.MustCompile(`"id":"chatcmpl-mock-\d+","object":"chat\.completion\.chunk","created":\d+`)

func stable(body []byte) []byte { return perReply.ReplaceAll(body, []byte(`"id":"ID"`)) }

func decode(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	return value, nil
}

type comparison struct {
	request string
	found   []delta
}

func (c *comparison) text(at, fastapi, gateway string, equal bool) {
	if !equal {
		c.found = append(c.found, delta{c.request, at, fastapi, gateway})
	}
}

// frames compares streams event by event, and then byte by byte.
func (c *comparison) frames(fastapi, gateway string) {
	f, g := settled(strings.SplitAfter(fastapi, "\n\n")), settled(strings.SplitAfter(gateway, "\n\n"))
	for i := range max(len(f), len(g)) {
		switch {
		case i >= len(f):
			c.text("frames after the last", absent, strings.Join(g[i:], ""), false)
			return
		case i >= len(g):
			c.text("frames after the last", strings.Join(f[i:], ""), absent, false)
			return
		case f[i] != g[i] && (f[i] == "" || g[i] == ""): // the stream's end
			c.text("frames after the last", strings.Join(f[i:], ""), strings.Join(g[i:], ""), false)
			return
		}
		c.text("frames "+strconv.Itoa(i), f[i], g[i], f[i] == g[i])
	}
}

// settled sorts the events of progress that follow each other: what runs at once begins and ends in any order.
func settled(frames []string) []string {
	for from := 0; from < len(frames); from++ {
		to := from
		for to < len(frames) && strings.HasPrefix(frames[to], "event: progress\n") {
			to++
		}
		slices.Sort(frames[from:to])
		from = to
	}
	return frames
}

// values compares JSON: members in any order, numbers by value, all else exactly.
func (c *comparison) values(at string, fastapi, gateway any) {
	switch f := fastapi.(type) {
	case map[string]any:
		if g, ok := gateway.(map[string]any); ok {
			c.members(at, f, g)
			return
		}
	case []any:
		if g, ok := gateway.([]any); ok && len(f) == len(g) {
			for i := range f {
				c.values(at+"."+strconv.Itoa(i), f[i], g[i])
			}
			return
		}
	case json.Number:
		if g, ok := gateway.(json.Number); ok && sameNumber(f, g) {
			return
		}
	}
	f, g := compact(fastapi), compact(gateway)
	c.text(at, f, g, f == g)
}

func (c *comparison) members(at string, f, g map[string]any) {
	names := slices.Collect(maps.Keys(f))
	for name := range g {
		if _, both := f[name]; !both {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		fv, inF := f[name]
		gv, inG := g[name]
		switch {
		case !inG:
			c.text(at+"."+name, compact(fv), absent, false)
		case !inF:
			c.text(at+"."+name, absent, compact(gv), false)
		default:
			c.values(at+"."+name, fv, gv)
		}
	}
}

func sameNumber(f, g json.Number) bool {
	a, okA := new(big.Rat).SetString(f.String())
	b, okB := new(big.Rat).SetString(g.String())
	return okA && okB && a.Cmp(b) == 0
}

func compact(v any) string {
	b, err := encoded(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
