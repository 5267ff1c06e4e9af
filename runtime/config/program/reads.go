package program

import "github.com/llmservice/llmservice/runtime/expr"

// Reads are the members of a variable that templates read: what nobody reads of a request need not be made.
type Reads struct {
	members map[string]bool
	all     bool
}

// Member reports whether a member is read.
func (r *Reads) Member(name string) bool { return r.all || r.members[name] }

// of adds a path, if it is one of the variable.
func (r *Reads) of(variable string, path expr.Path) {
	if path[0] != variable {
		return
	}
	if len(path) > 1 {
		if name, isName := path[1].(string); isName {
			r.member(name)
			return
		}
	}
	r.all = true
}

func (r *Reads) member(name string) {
	if r.members == nil {
		r.members = map[string]bool{}
	}
	r.members[name] = true
}

// add adds what others read.
func (r *Reads) add(other *Reads) {
	r.all = r.all || other.all
	for name := range other.members {
		r.member(name)
	}
}
