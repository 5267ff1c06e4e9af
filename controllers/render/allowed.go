package render

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

// CheckAllowed says which fields of a spec name an upstream's host, or an image, that the operator's flags do not allow.
func (g GatewaySettings) CheckAllowed(s *v1alpha1.LLMService) config.Errors {
	return slices.Concat(g.checkHosts(s), g.checkImages(s))
}

// checkHosts looks at names as they are written. The addresses to which they lead are the gateways' to check, at each connection.
func (g GatewaySettings) checkHosts(s *v1alpha1.LLMService) config.Errors {
	if len(g.AllowedHosts) == 0 {
		return nil
	}
	var errs config.Errors
	for i := range s.Spec.Upstreams {
		for j, endpoint := range s.Spec.Upstreams[i].Endpoints {
			// A URL that cannot be read is refused anyway, and says more about itself.
			host, _, ok := hostAndPort(endpoint.URL)
			if !ok || g.AllowedHosts.allow(host) {
				continue
			}
			errs = append(errs, config.FieldError{
				Path: fmt.Sprintf("upstreams[%d].endpoints[%d].url", i, j),
				Message: fmt.Sprintf("the host %s is not one that this operator allows, want one of %s",
					host, strings.Join(g.AllowedHosts, ", ")),
			})
		}
	}
	return errs
}

// checkImages looks at all images that a pod gets from its service, because the pod holds the keys that the service names. A volume
// of an image may have a program that a container of an allowed image starts.
func (g GatewaySettings) checkImages(s *v1alpha1.LLMService) config.Errors {
	var errs config.Errors
	check := func(path, image string) {
		if err := g.allowsImage(image); err != nil {
			errs = append(errs, config.FieldError{Path: path, Message: err.Error()})
		}
	}
	check("runtime.image", runtimeOf(s).Image)
	template, _, err := decodePodTemplate(s)
	if template == nil || err != nil {
		return errs // CheckChildren reports it
	}
	spec := &template.Spec
	for list, containers := range map[string][]corev1.Container{"initContainers": spec.InitContainers, "containers": spec.Containers} {
		for i := range containers {
			if list == "containers" && containers[i].Name == ContainerName {
				continue // CheckChildren refuses any image there
			}
			check(fmt.Sprintf("%s.spec.%s[%d].image", podTemplatePath, list, i), containers[i].Image)
		}
	}
	for i := range spec.Volumes {
		if of := spec.Volumes[i].Image; of != nil {
			check(fmt.Sprintf("%s.spec.volumes[%d].image.reference", podTemplatePath, i), of.Reference)
		}
	}
	slices.SortStableFunc(errs, func(a, b config.FieldError) int { return strings.Compare(a.Path, b.Path) })
	return errs
}

// Hosts are those that upstreams may have: each a name, an address, or "*." before a domain for all names below it. It is a
// flag.Value: each time that the flag is set adds one.
type Hosts []string

// Set adds a host or a pattern. One that no URL's host could equal is an error.
func (h *Hosts) Set(pattern string) error {
	host := strings.ToLower(strings.TrimSuffix(pattern, "."))
	if address, err := netip.ParseAddr(host); err == nil {
		*h = append(*h, address.Unmap().String())
		return nil
	}
	name := strings.TrimPrefix(host, "*.")
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return errors.New("want the name of a host or its address, without scheme and port, or *.DOMAIN for all names below a domain")
	}
	*h = append(*h, host)
	return nil
}

// String implements flag.Value.
func (h *Hosts) String() string {
	if h == nil {
		return ""
	}
	return strings.Join(*h, ",")
}

// allow takes a host as hostAndPort returns it.
func (h *Hosts) allow(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return slices.Contains(*h, address.Unmap().String())
	}
	return slices.ContainsFunc(*h, func(pattern string) bool {
		if domain, ok := strings.CutPrefix(pattern, "*"); ok {
			return strings.HasSuffix(host, domain) && len(host) > len(domain)
		}
		return host == pattern
	})
}
