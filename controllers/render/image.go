package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

// CheckChildren says in which fields of a spec its children are not as Kubernetes, or this operator, can have them, as far as the
// schema of the API does not say it.
func CheckChildren(s *v1alpha1.LLMService) config.Errors {
	return slices.Concat(checkPodTemplate(s), checkService(s), checkMonitoring(s))
}

// allowsImage refuses an image that no container of a gateway's pod may run: the pods hold the keys that the service names, so the
// choice is the cluster's and not that of anyone who may create a service. Allowed are the repository of the operator's own
// gateway image and those of AllowedImages.
func (g GatewaySettings) allowsImage(image string) error {
	own := Repository(g.Image)
	if image == "" || Repository(image) == own || slices.ContainsFunc(g.AllowedImages, func(allowed string) bool {
		return allows(allowed, image)
	}) {
		return nil
	}
	return fmt.Errorf("%q is not from a repository that this operator allows: %s",
		image, strings.Join(append([]string{own}, g.AllowedImages...), ", "))
}

// allows reports whether the image is of the repository, or of one below it where it ends in "/*".
func allows(allowed, image string) bool {
	if below, ok := strings.CutSuffix(allowed, "*"); ok {
		return strings.HasPrefix(Repository(image), below)
	}
	return Repository(image) == allowed
}

// Repository is an image's name without its tag and its digest. A registry may have a port, which is not a tag.
func Repository(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		name = name[:at]
	}
	return name
}
