package house_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// stilted are the worst of the forms that CONTRIBUTING.md lists, each with the words to use instead. A group named before
// is the word before the form, which makes it good English if it is "there".
var stilted = []struct {
	form    *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\b(?P<before>\w+) (?:is|are) no (?:[a-km-z]|l[^o]|lo[^n])`), "is not a"},
	{regexp.MustCompile(`(?i)\b(?:serves|served|serve) on(?:[.,;:)]|$| meanwhile)`), "keeps serving"},
	{regexp.MustCompile(`(?i)\bwhoever\b`), "anyone who"},
	{regexp.MustCompile(`(?i)\bmend(?:s|ed|ing)?\b`), "fix, repair"},
	{regexp.MustCompile(`(?i)\bwould else\b`), "otherwise"},
	{regexp.MustCompile(`(?i)\b(?:finds?|found) out about\b`), "detect"},
	{regexp.MustCompile(`(?i)\bhas no use where\b`), "is not allowed when"},
	{regexp.MustCompile(`(?i)\bbeside\b`), "next to"},
	{regexp.MustCompile(`(?i)\btells? (?:of|nothing)\b`), "reports, reveals"},
	{regexp.MustCompile(`(?i)\bwhere (?:it|they|nothing|none) (?:is|are|has|have|does|do)\b`), "if, when"},
}

// inStilted returns the first stilted form in a line, and the words to use instead; both are empty if there is none.
func inStilted(line string) (form, instead string) {
	for _, s := range stilted {
		for _, m := range s.form.FindAllStringSubmatch(line, -1) {
			if len(m) > 1 && (strings.EqualFold(m[1], "there") || strings.HasSuffix(m[0], "more")) {
				continue
			}
			return m[0], s.instead
		}
	}
	return "", ""
}

func TestStiltedFormsAreFound(t *testing.T) {
	for line, want := range map[string]bool{
		"a month is no name": true, "bytes are no text": true, "The last good one serves on, in all pods": true, "served on.": true,
		"Whoever asks": true, "a test that mends it": true, "which would else stop": true, "has no use where it is": true,
		"one beside another": true, "a log that tells of it": true, "the reason where it is known": true,
		"There is no name.": false, "it is no longer there": false, "served on port 80": false, "serve on loopback": false, "recommend": false,
		"besides": false, "where its fields are": false,
	} {
		if form, _ := inStilted(line); (form != "") != want {
			t.Errorf("%q: found %q, want it found: %v", line, form, want)
		}
	}
}

// TestPagesAreInPlainEnglish reads everything that a person reads but Go: pages, the chart's values, samples. The section of
// CONTRIBUTING.md that quotes what it advises against is left out.
func TestPagesAreInPlainEnglish(t *testing.T) {
	seen := 0
	for _, pattern := range []string{
		"*.md", "docs/*.md", "docs/*/*.md", "bench/*.md", "test/mockllm/*.md", "charts/llmservice/*.md", "charts/llmservice/*.yaml", "charts/llmservice/templates/*.txt",
		"config/samples/*.yaml", "Makefile",
	} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no file: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			for i, line := range strings.Split(withoutAdvice(string(text)), "\n") {
				if form, instead := inStilted(line); form != "" {
					t.Errorf("%s:%d: %q: write %q", path, i+1, form, instead)
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("%d files were read: the test looks in the wrong place", seen)
	}
}

// withoutAdvice blanks the section "How we write", and keeps its lines so that others have their numbers.
func withoutAdvice(page string) string {
	before, advice, found := strings.Cut(page, "\n## How we write\n")
	if !found {
		return page
	}
	_, after, _ := strings.Cut(advice, "\n## ")
	lines := strings.Count(page, "\n") - strings.Count(before, "\n") - strings.Count(after, "\n")
	return before + strings.Repeat("\n", lines) + after
}

// TestMessagesAreInPlainEnglish reads the texts of the programs, and the descriptions of the API's fields.
func TestMessagesAreInPlainEnglish(t *testing.T) {
	for _, f := range sources(t) {
		dir, _, _ := strings.Cut(f.path, "/")
		if strings.HasSuffix(f.path, "_test.go") || !slices.Contains([]string{"api", "cmd", "controllers", "runtime"}, dir) {
			continue
		}
		check := func(n ast.Node, text string) {
			if form, instead := inStilted(text); form != "" {
				t.Errorf("%s: %q: write %q", f.position(n), form, instead)
			}
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					check(n, text)
				}
			}
			return true
		})
		if dir == "api" {
			for _, comment := range f.Comments {
				check(comment, comment.Text())
			}
		}
	}
}

// allowed are the words with which an error says what would be right. One that passesOn ends in words that are made elsewhere.
var allowed, passesOn = regexp.MustCompile(`\b(?:wants?|is required|needs at least|at most|(?:is|are) not allowed|allowed only|may not call|never allows|write)\b`),
	regexp.MustCompile(`(?:, |; |^column %d: )%s$|%v$`)

// passedOn are the files whose errors become messages of a config, or parts of them, and limits the words with which those say what
// is allowed, in addition: of a limit, or in the words of Python's JSON, Pydantic and RE2.
var passedOn, limits = regexp.MustCompile(`^runtime/(?:schema/(?:coerce|compile|defaults|form|graph|parameter|patterns|rule)|expr/(?:expr|match|nesting|path|tree)|route/(?:table|template)|pattern/pattern|` +
	`config/(?:addresses/addresses|prices|duration))\.go$`),
	regexp.MustCompile(`\b(?:more than %d|end the expression with|not (?:valid in a schema|acceptable JSON|valid JSON)|its own schema: |filled in: |lower maxLength|` +
		`column %d: |the pattern |expression (?:variable|environment|function))|^(?:reference )?%q %s$`)

// TestErrorsThatArePassedOnSayWhatIsAllowed reads the messages that schemas, expressions, paths and the like have for what does not
// compile.
func TestErrorsThatArePassedOnSayWhatIsAllowed(t *testing.T) {
	seen := map[string]int{}
	for _, f := range sources(t) {
		if strings.HasSuffix(f.path, "_test.go") || !passedOn.MatchString(f.path) {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			message := passedOnBy(n)
			if message == "" || !strings.Contains(message, " ") {
				return true
			}
			seen[filepath.Dir(f.path)]++
			if !allowed.MatchString(message) && !limits.MatchString(message) {
				t.Errorf("%s: %q does not say what is allowed: add “, want …”", f.position(n), message)
			}
			return true
		})
	}
	for dir, least := range map[string]int{
		"runtime/schema": 20, "runtime/expr": 15, "runtime/route": 5, "runtime/pattern": 4, "runtime/config": 2, "runtime/config/addresses": 3,
	} {
		if seen[dir] < least {
			t.Errorf("%s: %d messages were found, want %d: the test looks in the wrong place", dir, seen[dir], least)
		}
	}
}

// passedOnBy is the text of an error that is made there: of errors.New and fmt.Errorf, and of the members Reason and Message.
func passedOnBy(n ast.Node) string {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "Reason" || key.Name == "Message") {
			return literalOf(n.Value)
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "Errorf" || f.Sel.Name == "New") && len(n.Args) > 0 {
			return literalOf(n.Args[0])
		}
	}
	return ""
}

// literalOf joins the texts that are written out in an expression; that of a format is its first argument.
func literalOf(n ast.Expr) string {
	switch n := n.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(n.Value)
		if err != nil {
			return ""
		}
		return text
	case *ast.BinaryExpr:
		return literalOf(n.X) + literalOf(n.Y)
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" {
			return literalOf(n.Args[0])
		}
	}
	return ""
}

// TestErrorsSayWhatIsAllowed reads the message of each error of a config: the path says where it is, and the message what is wrong
// and what would be right.
func TestErrorsSayWhatIsAllowed(t *testing.T) {
	seen := 0
	for _, f := range sources(t) {
		if strings.HasSuffix(f.path, "_test.go") || !strings.HasPrefix(f.path, "runtime/config/") {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			message := messageOf(n)
			if message == "" {
				return true
			}
			seen++
			if !allowed.MatchString(message) && !passesOn.MatchString(message) {
				t.Errorf("%s: %q does not say what is allowed: add “, want …”", f.position(n), message)
			}
			if first := []rune(message)[0]; unicode.IsUpper(first) || strings.HasSuffix(message, ".") {
				t.Errorf("%s: %q stands after the path of a field: no capital and no full stop", f.position(n), message)
			}
			return true
		})
	}
	if seen < 100 {
		t.Errorf("%d messages were found: the test looks in the wrong place", seen)
	}
}

// messageOf is the format of an error of a field, if that is what is made there.
func messageOf(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) < 2 {
		return ""
	}
	name := ""
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	literal, ok := call.Args[1].(*ast.BasicLit)
	if !ok || !slices.Contains([]string{"addf", "FieldErrorf"}, name) {
		return ""
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return text
}
