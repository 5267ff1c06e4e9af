package expr

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/llmservice/llmservice/runtime/schema"
)

const (
	interruptEvery = 100 // iterations of a comprehension between looks at the context
	// maxPieces a text may be split into: each takes far more memory than the character that it may be.
	maxPieces = MaxOutput / 16
)

// programOptions bound what each program may do.
func programOptions(env *cel.Env) ([]cel.ProgramOption, error) {
	library, err := guarded(env)
	return []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(MaxCost),
		cel.InterruptCheckFrequency(interruptEvery),
		cel.CostTracking(dynamicCosts{}),
		cel.CostTrackerOptions(costs()...),
		cel.Functions(append(ownOverloads(), library...)...), //nolint:staticcheck // Function can only add to what there is
	}, err
}

// guards stand before those of the library's functions that can make far more than they are given, or take far longer: what a
// function costs is counted when it has run.
var guards = map[string]func(args []ref.Val) error{
	"string_replace_string_string":     guardReplace,
	"string_replace_string_string_int": guardReplace,
	"string_split_string":              guardSplit,
	"string_split_string_int":          guardSplit,
	"string_format":                    guardFormat,
	operators.Add:                      guardAdd,
	operators.In:                       guardIn,
	"string_index_of_string":           guardSearch,
	"string_index_of_string_int":       guardSearch,
	"string_last_index_of_string":      guardSearch,
	"string_last_index_of_string_int":  guardSearch,
}

func guarded(env *cel.Env) ([]*functions.Overload, error) {
	var all []*functions.Overload
	for _, name := range []string{"replace", "split", "format", operators.Add, operators.In, "indexOf", "lastIndexOf"} {
		bindings, err := env.Functions()[name].Bindings()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, b := range bindings {
			if guard := guards[b.Operator]; guard != nil {
				all = append(all, behind(guard, b))
			}
		}
	}
	return all, nil
}

func behind(guard func([]ref.Val) error, b *functions.Overload) *functions.Overload {
	guarded := *b
	if b.Binary != nil {
		guarded.Binary = func(x, y ref.Val) ref.Val {
			if err := guard([]ref.Val{x, y}); err != nil {
				return types.WrapErr(err)
			}
			return b.Binary(x, y)
		}
	}
	if b.Function != nil {
		guarded.Function = func(args ...ref.Val) ref.Val {
			if err := guard(args); err != nil {
				return types.WrapErr(err)
			}
			return b.Function(args...)
		}
	}
	return &guarded
}

// texts gives the arguments that are strings; the function itself refuses others.
func texts(args []ref.Val) []string {
	all := make([]string, len(args))
	for i, arg := range args {
		s, _ := arg.(types.String)
		all[i] = string(s)
	}
	return all
}

func guardReplace(args []ref.Val) error {
	t := texts(args)
	if len(t[2]) > len(t[1]) && strings.Count(t[0], t[1]) > MaxOutput/len(t[2]) {
		return errOutput
	}
	return nil
}

func guardSplit(args []ref.Val) error {
	t := texts(args)
	if strings.Count(t[0], t[1]) > maxPieces {
		return errOutput
	}
	return nil
}

// guardFormat lets pass what takes no more than MaxOutput as JSON; each argument is used once.
func guardFormat(args []ref.Val) error {
	r := &run{out: MaxOutput}
	if _, err := r.plain(args[1]); errors.Is(err, errOutput) {
		return errOutput
	}
	return nil
}

// guardAdd keeps lists to the length that a body can have, and texts to its bytes: adding two lists takes no time, and each
// may hold the other twice.
func guardAdd(args []ref.Val) error {
	total, bytes := types.Int(0), 0
	for _, arg := range args {
		switch arg := arg.(type) {
		case types.String:
			bytes += len(arg)
		case types.Bytes:
			bytes += len(arg)
		case traits.Lister:
			size, _ := arg.Size().(types.Int)
			total += size
		}
	}
	if total > schema.MaxBodyNodes || bytes > schema.MaxBodyBytes {
		return errOutput
	}
	return nil
}
