package program

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

// The most that fields of numbers may say, as the API has it.
const (
	maxCalls    = 100000
	maxFailures = 1000
)

// balancing checks how calls are spread over an upstream's endpoints.
func (v *validator) balancing(path string, u *config.Upstream) {
	if all := config.LoadBalancings(); u.LoadBalancing != "" && !slices.Contains(all, u.LoadBalancing) {
		v.addf(path+".loadBalancing", "is %q, want one of %s", u.LoadBalancing, strings.Join(all, ", "))
	}
	v.consistentHash(path+".consistentHash", u)
	for i, e := range u.Endpoints {
		at := fmt.Sprintf("%s.endpoints[%d]", path, i)
		v.between(at+".weight", e.Weight, 0, config.MaxWeight)
		v.between(at+".maxInFlight", e.MaxInFlight, 0, maxCalls)
		v.resolution(at+".resolution", &e)
	}
	v.between(path+".maxInFlight", u.MaxInFlight, 0, maxCalls)
	if q := u.Queue; q != nil {
		v.between(path+".queue.depth", q.Depth, 0, config.MaxQueueDepth)
		v.notNegative(path+".queue.timeout", q.Timeout)
		if _, _, limited := u.Limited(); !limited {
			v.addf(path+".queue", "has no effect without maxInFlight of the upstream or of an endpoint, want one of them")
		}
	}
	v.notNegative(path+".slowStart", u.SlowStart)
	if u.Ejection != nil {
		v.ejection(path+".ejection", u.Ejection)
	}
	if u.Retries != nil {
		v.retries(path+".retries", u.Retries)
	}
}

func (v *validator) retries(path string, r *config.Retries) {
	all := config.RetryConditions()
	for i, on := range r.RetryOn {
		if !slices.Contains(all, on) || slices.Contains(r.RetryOn[:i], on) {
			v.addf(fmt.Sprintf("%s.retryOn[%d]", path, i), "is %q, want each of %s at most once", on, strings.Join(all, ", "))
		}
	}
	v.between(path+".attempts", r.Attempts, 0, config.MaxRetryAttempts)
	if r.Backoff != nil {
		v.backoff(path+".backoff", r.Backoff, config.DefaultRetry)
	}
	v.between(path+".budgetPercent", r.BudgetPercent, 0, 100)
}

func (v *validator) resolution(path string, e *config.Endpoint) {
	all := config.Resolutions()
	if e.Resolution != "" && !slices.Contains(all, e.Resolution) {
		v.addf(path, "is %q, want one of %s", e.Resolution, strings.Join(all, ", "))
	}
	if _, err := netip.ParseAddr(e.SpreadHost()); err == nil {
		v.addf(path, "has no effect: the URL's host is an address, and not a name, want it left out")
	}
}

func (v *validator) ejection(path string, e *config.Ejection) {
	v.between(path+".consecutiveFailures", e.ConsecutiveFailures, 0, maxFailures)
	if r := e.FailureRatio; r != nil {
		v.between(path+".failureRatio.percent", r.Percent, 1, 100)
		v.between(path+".failureRatio.minCalls", r.MinCalls, 0, maxCalls)
		v.notNegative(path+".failureRatio.window", r.Window)
	}
	if b := e.Backoff; b != nil {
		v.backoff(path+".backoff", b, config.DefaultEjection)
	}
	if e.MaxPercent != nil {
		v.between(path+".maxPercent", *e.MaxPercent, 0, 100)
	}
	v.between(path+".panicPercent", e.PanicPercent, 0, 100)
}

// backoff checks a time that grows, and stands for a default if it is absent.
func (v *validator) backoff(path string, b *config.Backoff, or config.Backoff) {
	v.notNegative(path+".initial", b.Initial)
	v.notNegative(path+".max", b.Max)
	if initial, most := b.Or(or); initial > most && most > 0 {
		v.addf(path+".initial", "is %s, want at most max, which is %s", initial, most)
	}
}
