package controllers

import (
	"fmt"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// TestScaleDownTakesTheIdlest goes through every load of three pods, and every way in which an earlier scale-down may have
// ended: with other loads, of other numbers, or by a crash between some of its prices and its count.
func TestScaleDownTakesTheIdlest(t *testing.T) {
	const pods, most = 3, 2 // pods, and requests in flight of one
	for past := range numbers(pods, most+1) {
		for present := range numbers(pods, most+1) {
			for going := range pods {
				for written := range 1 << pods {
					seen := fleetOf(past)
					leave(deletionPrices(seen, going+1), written)
					setLoads(seen, present)
					for now := range pods {
						leave(deletionPrices(seen, now+1), 1<<pods-1)
						if problem := wrongVictim(seen, now+1); problem != "" {
							t.Fatalf("loads %v, then %v, %d and then %d to go, prices %03b written: %s", past, present, going+1, now+1, written, problem)
						}
					}
				}
			}
		}
	}
}

// numbers yields every list of n numbers below bound.
func numbers(n, bound int) func(yield func([]int64) bool) {
	return func(yield func([]int64) bool) {
		total := 1
		for range n {
			total *= bound
		}
		for code := range total {
			list := make([]int64, n)
			for i := range list {
				list[i], code = int64(code%bound), code/bound
			}
			if !yield(list) {
				return
			}
		}
	}
}

func fleetOf(loads []int64) *view {
	seen := &view{now: moment, service: serviceWith("http://a.svc/v1"), load: load.ServiceLoad{Taken: moment}}
	for i := range loads {
		seen.pods = append(seen.pods, pod(fmt.Sprint("pod-", i)))
	}
	setLoads(seen, loads)
	return seen
}

func setLoads(seen *view, loads []int64) {
	seen.load.Pods = nil
	for i := range seen.pods {
		seen.load.Pods = append(seen.load.Pods, load.PodLoad{UID: seen.pods[i].UID, Seen: moment, Status: report.Status{InFlight: loads[i]}})
	}
}

// leave writes the prices of those pods whose bit is set.
func leave(prices map[*corev1.Pod]string, written int) {
	for pod, price := range prices {
		index, _ := strconv.Atoi(pod.Name[len("pod-"):])
		if written&(1<<index) != 0 {
			pod.Annotations = map[string]string{corev1.PodDeletionCost: price}
		}
	}
}

// wrongVictim says which busier pod the ReplicaSet may delete before a less busy one; empty for none.
func wrongVictim(seen *view, going int) string {
	for i := range seen.pods {
		for j := range seen.pods {
			mayGoFirst := priceOf(&seen.pods[i]) <= priceOf(&seen.pods[j])
			busier := seen.load.InFlightOf(seen.pods[i].UID) > seen.load.InFlightOf(seen.pods[j].UID)
			if mayGoFirst && busier && cheaper(seen, priceOf(&seen.pods[i])) < going {
				return fmt.Sprintf("%s may go before %s", seen.pods[i].Name, seen.pods[j].Name)
			}
		}
	}
	return ""
}

// cheaper counts the pods that go before any of this price.
func cheaper(seen *view, price int) (n int) {
	for i := range seen.pods {
		if priceOf(&seen.pods[i]) < price {
			n++
		}
	}
	return n
}

func priceOf(pod *corev1.Pod) int {
	price, _ := strconv.Atoi(pod.Annotations[corev1.PodDeletionCost])
	return price
}
