package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// maxNulls bounds how many members a warning is about; the number of the others follows.
const maxNulls = 4

// droppedNulls warns of members that are null in the manifest, and that kubectl apply left out because it was called without
// --server-side. kubectl keeps that manifest in an annotation.
func droppedNulls(service, before *v1alpha1.LLMService) []string {
	applied := service.Annotations[corev1.LastAppliedConfigAnnotation]
	if applied == "" || before != nil && before.Annotations[corev1.LastAppliedConfigAnnotation] == applied {
		return nil
	}
	wanted := &v1alpha1.LLMService{}
	if json.Unmarshal([]byte(applied), wanted) != nil {
		return nil // somebody else wrote it
	}
	// Both ways through the type, so that only members of values of any form are null: any other null means absent.
	lost := missing("spec", members(wanted.Spec), members(service.Spec))
	var warnings []string
	for _, path := range lost[:min(len(lost), maxNulls)] {
		warnings = append(warnings, path+`: kubectl apply dropped null; apply with --server-side, or write "${null}"`)
	}
	if more := len(lost) - len(warnings); more > 0 {
		warnings = append(warnings, fmt.Sprintf("spec: kubectl apply dropped %d more nulls", more))
	}
	return warnings
}

// members is a value as JSON; nil if it has none.
func members(of any) any {
	encoded, err := json.Marshal(of)
	if err != nil {
		return nil
	}
	var decoded any
	if json.Unmarshal(encoded, &decoded) != nil {
		return nil
	}
	return decoded
}

// missing lists the members that are null in one value and absent in the other. It goes as deep as the other value, which is valid.
func missing(path string, wanted, given any) []string {
	var found []string
	switch wanted := wanted.(type) {
	case map[string]any:
		given, ok := given.(map[string]any)
		if !ok {
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			value, there := given[name]
			if !there && wanted[name] == nil {
				found = append(found, path+"."+name)
			}
			found = append(found, missing(path+"."+name, wanted[name], value)...)
		}
	case []any:
		given, _ := given.([]any)
		for i := range min(len(wanted), len(given)) {
			found = append(found, missing(fmt.Sprintf("%s[%d]", path, i), wanted[i], given[i])...)
		}
	}
	return found
}
