package schema

const (
	mostKept    = 64
	longestKept = 32 // bytes
)

// keptNames are some of those that members have had: most texts have the names of those before them, which need not be made again.
type keptNames [mostKept]string

// of is a name.
func (n *keptNames) of(name []byte) string {
	if len(name) > longestKept {
		return string(name)
	}
	hash := uint(0)
	for _, c := range name {
		hash = 31*hash + uint(c)
	}
	kept := &n[hash%mostKept]
	if *kept != string(name) {
		*kept = string(name)
	}
	return *kept
}
