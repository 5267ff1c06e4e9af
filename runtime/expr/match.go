package expr

import (
	"slices"
	"sync"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/llmservice/llmservice/runtime/pattern"
	"github.com/llmservice/llmservice/runtime/schema"
)

// CEL's own implementations of these look at no bound: a pattern takes as long as the text times its automaton, and lists that
// hold each other twice are compared as the trees that they stand for. Ours take their place once an expression has been
// checked; they cannot be written in one.
const (
	matchID      = "@matches"
	matchFixedID = "@matches_fixed" // the pattern is known when the config loads
	equalID      = "@equal"
	unequalID    = "@unequal"
)

const (
	// maxMatch bounds one match, in characters of the text times instructions of the automaton; its steps are at most as
	// many, and take some tens of milliseconds.
	maxMatch = 8 << 20
	// stepsPerCost of a match take about the time of a unit of cost.
	stepsPerCost = 16
	// maxCompared bounds the values that one comparison of lists and maps looks at.
	maxCompared = schema.MaxBodyNodes
)

// substitute puts our implementations in place of CEL's. It refuses patterns that cannot be compiled.
func (e *Env) substitute(tree *ast.AST, p *part) error {
	var wrong error
	rename := func(n ast.Expr, id string) {
		call := n.AsCall()
		args := call.Args()
		if call.IsMemberFunction() {
			args = slices.Insert(slices.Clone(args), 0, call.Target())
		}
		n.SetKindCase(ast.NewExprFactory().NewCall(n.ID(), id, args...))
		tree.SetReference(n.ID(), ast.NewFunctionReference(id))
	}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(n ast.Expr) {
		if n.Kind() != ast.CallKind {
			return
		}
		args := arguments(n)
		switch name := n.AsCall().FunctionName(); {
		case name == overloads.Matches && len(args) == 2:
			id := matchID
			if source, fixed := literalString(args[1]); fixed {
				if _, err := automata.get(source); err != nil {
					wrong = &Error{Column: p.column, Message: "the pattern " + err.Error()}
				}
				id = matchFixedID
			}
			rename(n, id)
		case name == operators.Equals && slices.ContainsFunc(args, func(a ast.Expr) bool { return mayBeLarge(tree, a) }):
			rename(n, equalID)
		case name == operators.NotEquals && slices.ContainsFunc(args, func(a ast.Expr) bool { return mayBeLarge(tree, a) }):
			rename(n, unequalID)
		}
	}))
	return wrong
}

// mayBeLarge reports whether a value may hold others.
func mayBeLarge(tree *ast.AST, e ast.Expr) bool {
	switch tree.GetType(e.ID()).Kind() { //nolint:exhaustive // the others are scalars
	case types.ListKind, types.MapKind, types.StructKind, types.DynKind, types.AnyKind, types.OpaqueKind, types.TypeParamKind:
		return true
	}
	return false
}

func matchOverloads() []*functions.Overload {
	return []*functions.Overload{
		{Operator: matchID, Binary: matches},
		{Operator: matchFixedID, Binary: matches},
		{Operator: equalID, Binary: equal},
		{Operator: unequalID, Binary: func(a, b ref.Val) ref.Val {
			result := equal(a, b)
			if same, ok := result.(types.Bool); ok {
				return !same
			}
			return result
		}},
	}
}

// matches reports whether a text has a match of a pattern in RE2's syntax.
func matches(text, source ref.Val) ref.Val {
	s, isText := text.(types.String)
	of, isPattern := source.(types.String)
	if !isText || !isPattern {
		return types.MaybeNoSuchOverloadErr(text)
	}
	p, err := automata.get(string(of))
	if err != nil {
		return fail("matches text against something that is not a regular expression of bounded size")
	}
	if (len(s)+1)*p.Size() > maxMatch {
		return fail(errCost)
	}
	return types.Bool(p.MatchString(string(s)))
}

// matchCost is what a match takes at worst, and reading a pattern that was not known before.
func matchCost(args []ref.Val, fixed bool) uint64 {
	s, _ := args[0].(types.String)
	of, _ := args[1].(types.String)
	p, err := automata.get(string(of))
	if err != nil {
		return 1 + uint64(pattern.Weight(string(of))) //nolint:gosec // not negative
	}
	total := 1 + (len(s)+1)*p.Size()/stepsPerCost
	if !fixed {
		total += p.Size() + pattern.Weight(string(of))
	}
	return uint64(total) //nolint:gosec // not negative
}

// equal compares values that are not too large.
func equal(a, b ref.Val) ref.Val {
	if size(a, maxCompared) > maxCompared && size(b, maxCompared) > maxCompared {
		return fail(errCost)
	}
	return types.Equal(a, b)
}

// compareCost is what a comparison looks at: no more than the smaller value.
func compareCost(args []ref.Val) uint64 {
	return 1 + uint64(min(size(args[0], maxCompared), size(args[1], maxCompared))) //nolint:gosec // not negative
}

// size counts the values within a value, and the bytes of texts as CEL's cost does, up to a bound and a little more. What a
// value holds twice counts twice, since a walk through it comes by twice.
func size(v ref.Val, most int) int {
	n := 1
	switch v := v.(type) {
	case types.String:
		n += len(v) / bytesPerCost
	case *types.Optional:
		if v.HasValue() {
			n += size(v.GetValue(), most)
		}
	case traits.Mapper:
		for it := v.Iterator(); n <= most && it.HasNext() == types.True; {
			key := it.Next()
			n += size(key, most) + size(v.Get(key), most-n)
		}
	case traits.Lister:
		for it := v.Iterator(); n <= most && it.HasNext() == types.True; {
			n += size(it.Next(), most-n)
		}
	}
	return n
}

// guardIn keeps `x in list` to lists that can be compared with x.
func guardIn(args []ref.Val) error {
	if _, isList := args[1].(traits.Lister); isList && size(args[1], maxCompared) > maxCompared {
		return errCost
	}
	return nil
}

// dynamicCosts charges calls of which CEL's checker did not know the implementation, since the types are known only when they
// run: CEL itself takes them for simple operations. It charges for counting a text's characters, too.
type dynamicCosts struct{}

func (dynamicCosts) CallCost(function, overload string, args []ref.Val, result ref.Val) *uint64 {
	const countedPerCost = 100 // bytes
	total := uint64(1)
	switch {
	case function == operators.In:
		if _, isList := args[1].(traits.Lister); isList {
			total += uint64(size(args[1], maxCompared)) //nolint:gosec // not negative
		}
	case function == overloads.Size:
		if s, isText := args[0].(types.String); isText {
			total += uint64(len(s)) / countedPerCost
		}
	case overload == "":
		for _, v := range append(slices.Clone(args), result) {
			if _, isText := v.(types.String); isText {
				total += weight(v) / bytesPerCost
			}
		}
	default:
		return nil
	}
	return &total
}

// guardSearch refuses what CEL would charge more than MaxCost for: looking for a text at each place of another.
func guardSearch(args []ref.Val) error {
	t := texts(args)
	if len(t[0])*len(t[1]) > MaxCost*bytesPerCost {
		return errCost
	}
	return nil
}

// maxAutomata bounds the patterns that are kept, in instructions: some megabytes.
const maxAutomata = 200_000

// automata keeps the patterns that were compiled last.
var automata = cache{}

type cache struct {
	mu    sync.Mutex
	known map[string]*pattern.Pattern
	size  int
}

func (c *cache) get(source string) (*pattern.Pattern, error) {
	c.mu.Lock()
	p := c.known[source]
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	parsed, err := pattern.ParseRE2(source)
	if err != nil {
		return nil, err
	}
	p = parsed.Compile()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size += p.Size() + len(source); c.known == nil || c.size > maxAutomata {
		c.known, c.size = map[string]*pattern.Pattern{}, p.Size()+len(source)
	}
	c.known[source] = p
	return p, nil
}
