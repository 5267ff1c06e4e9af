package expr

import (
	"context"
	"net/url"
	"strings"
)

// CompilePath reads a template of a URL's path, for Path: what stands beside its expressions has to be a path as it is
// sent, from its first slash on, without query and fragment. Every error is an *Error.
func (e *Env) CompilePath(text string) (*Template, error) {
	t, err := e.Compile(text)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(text, "/") {
		return nil, &Error{Column: 1, Message: "a path begins with /"}
	}
	for _, p := range t.parts {
		if p.program != nil {
			continue
		}
		if err := checkLiteralPath(text, p.text); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkLiteralPath looks at a literal part of the template text.
func checkLiteralPath(text, part string) *Error {
	if i := strings.IndexAny(part, "?#"); i >= 0 {
		return newError(text, max(strings.Index(text, part), 0)+i, "a path has no "+part[i:i+1])
	}
	if _, err := url.PathUnescape(part); err != nil {
		return newError(text, max(strings.Index(text, part), 0), "a % in a path is followed by two hexadecimal digits")
	}
	for i := range len(part) {
		if c := part[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return newError(text, max(strings.Index(text, part), 0)+i, "a path has no such character; write it as %XX")
		}
	}
	return nil
}

// Path evaluates the template to a URL's path. Literal text stands as it is; what an expression gives is escaped, so that
// it stays within its segment (RFC 3986, section 3.3). A segment that an expression has a part in may not come out empty,
// `.` or `..`, which would be another path than the one that is written. Arguments and errors are as Value's.
func (t *Template) Path(ctx context.Context, vars map[string]any, b *Budget) (string, error) {
	r, err := start(ctx, vars, b)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	var last *part // the expression in the segment that is being written
	segment := 0   // where it begins
	for i := range t.parts {
		p := &t.parts[i]
		text, err := r.part(ctx, *p)
		if err != nil {
			return "", err
		}
		if p.program != nil {
			last, text = p, url.PathEscape(text)
		} else if slash := strings.IndexByte(text, '/'); slash >= 0 {
			if last != nil && !isSegment(out.String()[segment:]+text[:slash]) {
				return "", last.failed(errSegment)
			}
			last, segment = nil, out.Len()+strings.LastIndexByte(text, '/')+1
		}
		out.WriteString(text)
	}
	if last != nil && !isSegment(out.String()[segment:]) {
		return "", last.failed(errSegment)
	}
	return out.String(), nil
}

const errSegment = refusal("makes a segment of the path empty, . or ..")

func isSegment(s string) bool {
	plain, err := url.PathUnescape(s)
	return err == nil && plain != "" && plain != "." && plain != ".."
}
