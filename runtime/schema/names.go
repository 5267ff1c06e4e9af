package schema

import "strings"

const (
	mostKept    = 64
	longestKept = 32 // bytes
)

// keptNames are some of those that members have had: most texts have the names of those before them, which need not be made again.
type keptNames [mostKept]string

// of is a name, which its caller need not keep.
func (n *keptNames) of(name string) string {
	if len(name) > longestKept {
		return strings.Clone(name)
	}
	hash := uint(0)
	for i := range len(name) {
		hash = 31*hash + uint(name[i])
	}
	kept := &n[hash%mostKept]
	if *kept != name {
		*kept = strings.Clone(name)
	}
	return *kept
}
