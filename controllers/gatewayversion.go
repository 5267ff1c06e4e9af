package controllers

import (
	"regexp"
	"slices"
	"strings"
)

// maxVersions bounds how many versions a status lists: while replicas are replaced, there are two.
const maxVersions = 3

// plainVersion is how a version may look that a status repeats. It is what a program in the cluster says of itself.
var plainVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+_-]{0,71}$`)

// gatewayVersion lists the versions that the live gateways report; it is empty if none reports one.
func (v *view) gatewayVersion() string {
	var versions []string
	for _, pod := range v.livePods() {
		known, _ := v.load.OfPod(pod.UID)
		if build := known.Status.Build; plainVersion.MatchString(build) {
			versions = append(versions, build)
		}
	}
	slices.Sort(versions)
	versions = slices.Compact(versions)
	return strings.Join(versions[:min(len(versions), maxVersions)], ", ")
}
