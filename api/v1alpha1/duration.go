package v1alpha1

import (
	"fmt"
	"regexp"
	"time"
)

// DurationPattern matches a Duration: at most four integers, each with a unit of h, m, s or ms
// (GEP-2257 of the Gateway API).
const DurationPattern = `^([0-9]{1,5}(h|m|s|ms)){1,4}$`

// A metav1.Duration would be accepted by the API with values that no typed client can decode, and one such object
// breaks every LIST. Hence a string with a pattern.
var durationPattern = regexp.MustCompile(DurationPattern)

// Duration is a span of time such as 300ms, 10s or 1m30s, longer than 0s and at most 24h: at most four integers of at
// most five digits, each with a unit of h, m, s or ms (GEP-2257 of the Gateway API).
//
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=28
// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(h|m|s|ms)){1,4}$`
// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('24h')",message="must be longer than 0s and at most 24h"
type Duration string

// Parse returns the duration as the standard library's type. It fails on values that the API would refuse.
func (d Duration) Parse() (time.Duration, error) {
	if !durationPattern.MatchString(string(d)) {
		return 0, fmt.Errorf("duration %q: must be integers with a unit of h, m, s or ms, such as 300ms or 1m30s", string(d))
	}
	parsed, err := time.ParseDuration(string(d))
	if err != nil {
		return 0, fmt.Errorf("duration %q: %w", string(d), err)
	}
	return parsed, nil
}
