package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// request is one request of the corpus, the same for both sides.
type request struct {
	name   string
	method string
	target string // as it is sent, escapes included
	header []string
	body   *string
}

// group is a list of requests that have most in common.
type group struct {
	Name   string   `json:"name"`
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Header []string `json:"header"` // lines
	Body   *string  `json:"body"`   // JSON text; a request with a body says that it is JSON, unless it says otherwise
	Cases  []change `json:"cases"`
}

// change is what sets a request apart from its group.
type change struct {
	Name   string            `json:"name"`
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Header []string          `json:"header"` // in the group's place
	Text   *string           `json:"text"`   // the whole body, JSON or not
	Set    map[string]string `json:"set"`    // members of the body by their path, as JSON texts
	Drop   []string          `json:"drop"`   // paths of members that the body goes without

	// Each makes one request for each value of Of: "query NAME" and "path PREFIX" put it into the target as it stands,
	// "header NAME" into a header, "member PATH" into the body as JSON text.
	Each string   `json:"each"`
	Of   []string `json:"of"`
}

func readCorpus(t *testing.T, dir string) []request {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []request
	seen := map[string]bool{}
	for _, file := range files {
		for _, g := range readGroups(t, file) {
			requests, err := g.requests()
			if err != nil {
				t.Fatalf("%s: %s: %v", file, g.Name, err)
			}
			for _, r := range requests {
				if seen[r.name] {
					t.Fatalf("%s: there are two requests %q", file, r.name)
				}
				seen[r.name] = true
			}
			all = append(all, requests...)
		}
	}
	return all
}

func readGroups(t *testing.T, file string) []group {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var groups []group
	if err := yaml.UnmarshalStrict(raw, &groups); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return groups
}

func (g *group) requests() ([]request, error) {
	var all []request
	for i := range g.Cases {
		made, err := g.with(&g.Cases[i])
		if err != nil {
			return nil, fmt.Errorf("case %d: %w", i, err)
		}
		all = append(all, made...)
	}
	return all, nil
}

func (g *group) with(c *change) ([]request, error) {
	base := request{name: g.Name + " " + c.Name, method: g.Method, target: g.Path, header: g.Header, body: g.Body}
	if c.Method != "" {
		base.method = c.Method
	}
	if c.Path != "" {
		base.target = c.Path
	}
	if c.Header != nil {
		base.header = c.Header
	}
	if c.Text != nil {
		base.body = c.Text
	}
	if err := base.edit(c.Set, c.Drop); err != nil {
		return nil, err
	}
	if c.Each == "" {
		return []request{base}, nil
	}
	return base.each(strings.TrimSuffix(base.name, " "), c.Each, c.Of)
}

func (r *request) each(name, what string, values []string) ([]request, error) {
	kind, place, _ := strings.Cut(what, " ")
	all := make([]request, len(values))
	for i, value := range values {
		one := *r
		one.name = name + " " + place + "=" + value
		switch kind {
		case "query":
			separator := "?"
			if strings.Contains(r.target, "?") {
				separator = "&"
			}
			one.target = r.target + separator + place + "=" + value
		case "path":
			one.target = place + value
		case "header":
			one.header = append(append([]string{}, r.header...), place+": "+value)
		case "member":
			if err := one.edit(map[string]string{place: value}, nil); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("each: %q is not query, path, header or member", kind)
		}
		all[i] = one
	}
	return all, nil
}

// edit changes members of the body. Their texts stay as they are: 1.0 is not 1 to everyone.
func (r *request) edit(set map[string]string, drop []string) error {
	if len(set)+len(drop) == 0 {
		return nil
	}
	body := json.RawMessage(*r.body)
	var err error
	for path, text := range set {
		if body, err = replaced(body, strings.Split(path, "."), json.RawMessage(text)); err != nil {
			return fmt.Errorf("set %s: %w", path, err)
		}
	}
	for _, path := range drop {
		if body, err = replaced(body, strings.Split(path, "."), nil); err != nil {
			return fmt.Errorf("drop %s: %w", path, err)
		}
	}
	text := string(body)
	r.body = &text
	return nil
}

// replaced puts value (nil: nothing) at path. A list is longer by one where its length is the index.
func replaced(body json.RawMessage, path []string, value json.RawMessage) (json.RawMessage, error) {
	if len(path) == 0 {
		return value, nil
	}
	if bytes.HasPrefix(body, []byte("[")) {
		return replacedItem(body, path, value)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	next, err := replaced(members[path[0]], path[1:], value)
	if err != nil {
		return nil, err
	}
	if members[path[0]] = next; next == nil {
		delete(members, path[0])
	}
	return encoded(members)
}

func replacedItem(body json.RawMessage, path []string, value json.RawMessage) (json.RawMessage, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(body, &items); err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 || i > len(items) {
		return nil, fmt.Errorf("%q is no index of a list of %d", path[0], len(items))
	}
	if i == len(items) {
		items = append(items, nil)
	}
	if items[i], err = replaced(items[i], path[1:], value); err != nil {
		return nil, err
	}
	return encoded(items)
}

// encoded is json.Marshal without its escapes for browsers.
func encoded(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// text is the request as it goes over the wire.
func (r *request) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: oracle.test\r\nConnection: close\r\n", r.method, r.target)
	typed := false
	for _, line := range r.header {
		name, _, _ := strings.Cut(line, ":")
		if typed = typed || http.CanonicalHeaderKey(name) == "Content-Type"; line != "Content-Type:" {
			b.WriteString(line + "\r\n") // "Content-Type:" alone asks for none
		}
	}
	if r.body != nil {
		if !typed {
			b.WriteString("Content-Type: application/json\r\n")
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(*r.body))
	}
	b.WriteString("\r\n")
	if r.body != nil {
		b.WriteString(*r.body)
	}
	return b.String()
}
