package expr

import (
	"context"
	"net/url"
	"strings"
)

// CompilePath reads a template of a URL's path, for Path: the text around its expressions has to be a path as it is
// sent, from its first slash on, without query and fragment. Every error is an *Error.
func (e *Env) CompilePath(text string) (*Template, error) {
	t, err := e.CompileText(text)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(text, "/") {
		return nil, &Error{Column: 1, Message: "a path begins with /, want one such as /search"}
	}
	for _, p := range t.parts {
		if p.program != nil {
			continue
		}
		if at, wrong := badPath(p.text); wrong != "" {
			return nil, &Error{Column: p.column + at, Message: wrong}
		}
	}
	known := func(p *part) (string, bool, error) {
		text, ok := p.fixed()
		return text, ok, nil
	}
	if _, err := t.path(known); err != nil {
		return nil, err //nolint:wrapcheck // it is an Error already
	}
	return t, nil
}

// badPath returns what is wrong with literal text, and at which byte, before which all are ASCII (RFC 3986, section 3.3).
func badPath(text string) (at int, wrong string) {
	for i := range len(text) {
		switch c := text[i]; {
		case c == '%':
			if _, err := url.PathUnescape(text[i:min(i+3, len(text))]); err != nil {
				return i, "in a path, two hexadecimal digits follow a %"
			}
		case c == '?' || c == '#':
			return i, "a path ends before " + string(c) + "; the result of an expression is escaped"
		case !strings.ContainsRune("/-._~!$&'()*+,;=:@", rune(c)) && !isAlphanumeric(c):
			return i, "a path cannot contain this character: write it as % and two hexadecimal digits"
		}
	}
	return 0, ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Path evaluates the template to a URL's path. Literal text stands as it is; the result of an expression is escaped, so that
// it stays within its segment (RFC 3986, section 3.3). A segment that an expression has a part in may not come out empty,
// `.` or `..`, which would be another path than the one that is written. Arguments and errors are as Value's.
func (t *Template) Path(ctx context.Context, vars map[string]any, b *CostBudget) (string, error) {
	r, err := start(ctx, vars, b)
	if err != nil {
		return "", err
	}
	return t.path(func(p *part) (string, bool, error) {
		text, err := r.part(ctx, p)
		return text, true, err
	})
}

// path puts the parts together. Of one that is not known yet, nothing is wrong with the segment that it is in.
func (t *Template) path(textOf func(p *part) (text string, known bool, err error)) (string, error) {
	var out strings.Builder
	var last *part // the expression in the segment that is being written
	segment := 0   // where it begins
	all := true    // of its parts are known
	for i := range t.parts {
		p := &t.parts[i]
		text, known, err := textOf(p)
		if err != nil {
			return "", err
		}
		if all = all && known; p.program != nil {
			last, text = p, url.PathEscape(text)
		} else if slash := strings.IndexByte(text, '/'); slash >= 0 {
			if last != nil && all && !isSegment(out.String()[segment:]+text[:slash]) {
				return "", last.failed(errSegment)
			}
			last, segment, all = nil, out.Len()+strings.LastIndexByte(text, '/')+1, true
		}
		out.WriteString(text)
	}
	if last != nil && all && !isSegment(out.String()[segment:]) {
		return "", last.failed(errSegment)
	}
	return out.String(), nil
}

const errSegment = refusal("makes a segment of the path empty, . or ..")

func isSegment(s string) bool {
	plain, err := url.PathUnescape(s)
	return err == nil && plain != "" && plain != "." && plain != ".."
}
