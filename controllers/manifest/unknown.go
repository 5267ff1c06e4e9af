package manifest

import (
	"maps"
	"slices"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// metadataFields are those of an object's metadata that people write.
var metadataFields = []string{"annotations", "generateName", "labels", "name", "namespace"}

// unknownField says that a field does not exist, and which one is meant or which there are.
func unknownField(s *structuralschema.Structural, path string) string {
	name, known := siblings(s, path)
	const unknown = "is an unknown field"
	if len(known) == 0 {
		return unknown
	}
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
	if distance(name, nearest) <= misprint(name) {
		return unknown + ", did you mean " + nearest + "?"
	}
	return unknown + ", want one of " + strings.Join(known, ", ")
}

// siblings are the names that the definition has where a path ends, and the name that it ends in.
func siblings(s *structuralschema.Structural, path string) (name string, known []string) {
	if rest, ok := strings.CutPrefix(path, "metadata."); ok {
		return rest, metadataFields
	}
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
	for i, part := range parts {
		switch {
		case s == nil:
			return part, nil
		case i == len(parts)-1:
			return part, slices.Sorted(maps.Keys(s.Properties))
		case s.Items != nil:
			s = s.Items
		default:
			s = below(s, part)
		}
	}
	return "", nil
}

// misprint is how many letters of a name may be wrong in one that is meant.
func misprint(name string) int { return max(1, min(2, len(name)/3)) }

// distance is how many letters have to be added, left out or changed to make one text of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := above
			if a[i] != b[j] {
				change++
			}
			above = row[j+1]
			row[j+1] = min(change, above+1, row[j]+1)
		}
	}
	return row[len(b)]
}
