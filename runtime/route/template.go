package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// segment is what stands between two slashes of a template.
type segment struct {
	text  string
	param bool // then text is its name
}

// parameter is a whole segment; its name can be used in expressions.
var parameter = regexp.MustCompile(`^\{([A-Za-z][A-Za-z0-9_]*)\}$`)

// Parameters are the names of a path template's parameters, in their order. It fails on what Table.Add refuses in the
// template itself.
func Parameters(template string) ([]string, error) {
	_, names, err := parse(template)
	return names, err
}

// parse cuts a path template into segments and names its parameters in order.
func parse(template string) (segments []segment, names []string, err error) {
	rest, found := strings.CutPrefix(template, "/")
	if !found {
		return nil, nil, fmt.Errorf("%q does not begin with /, want one such as /answer", template)
	}
	for text := range strings.SplitSeq(rest, "/") {
		if !strings.ContainsAny(text, "{}") {
			segments = append(segments, segment{text: text})
			continue
		}
		name := parameter.FindStringSubmatch(text)
		if name == nil {
			return nil, nil, fmt.Errorf("%s: segment %q, want text without braces, or {name}", template, text)
		}
		if slices.Contains(names, name[1]) {
			return nil, nil, fmt.Errorf("%s: has {%s} twice, want each name once", template, name[1])
		}
		segments, names = append(segments, segment{text: name[1], param: true}), append(names, name[1])
	}
	return segments, names, nil
}
