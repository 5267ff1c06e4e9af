package load

import (
	"cmp"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// interval is the time between two polls of a pod that answers.
	interval = time.Second
	// maxPause is the longest time between two polls of a pod that fails. It is well below Fresh: one that recovers is
	// read before it counts as lost for long.
	maxPause = 5 * time.Second
)

// lane bounds the polls of one kind: how many are under way at once, and how long each may take. Pods that answer at
// once have a lane of their own, so that those that hang take nothing from them.
type lane struct {
	slow    bool
	slots   int
	timeout time.Duration
}

var (
	// In the quick lane, 400 pods that begin to hang all at once delay the others by less than half a second, once.
	quickLane = lane{slots: 256, timeout: 250 * time.Millisecond}
	// The slow lane has those that did not answer in time, or at all.
	slowLane = lane{slow: true, slots: 256, timeout: 800 * time.Millisecond}
)

// turn is when a pod is asked next, and in which lane.
type turn struct {
	target

	slow     bool
	failures int
	next     time.Time
	underWay bool
	// first is set for the pods that there were at the start, and asked once one was.
	first, asked bool
}

// life is what a pod can answer in: a container that was started, or one that became ready, is asked at once.
type life struct {
	ip, container string
	ready         bool
}

// target is a pod that can be asked for its status, as it was last seen.
type target struct {
	uid  types.UID
	pod  *corev1.Pod
	life life
}

// schedule holds the turns of all pods. It is safe for concurrent use.
type schedule struct {
	mu       sync.Mutex
	turns    map[types.UID]*turn
	followed bool
}

func newSchedule() *schedule { return &schedule{turns: map[types.UID]*turn{}} }

// follow takes in which pods there are now.
func (s *schedule) follow(targets []target, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := make(map[types.UID]bool, len(s.turns))
	for uid := range s.turns {
		gone[uid] = true
	}
	for _, target := range targets {
		delete(gone, target.uid)
		known, ok := s.turns[target.uid]
		if !ok {
			s.turns[target.uid] = &turn{target: target, next: now, first: !s.followed}
			continue
		}
		if known.life != target.life {
			known.slow, known.failures, known.next = false, 0, now
		}
		known.target = target
	}
	for uid := range gone {
		delete(s.turns, uid)
	}
	s.followed = true
}

// due takes the pods of a lane whose turn has come, those that have waited longest first, and at most as many as the
// lane has slots.
func (s *schedule) due(of lane, now time.Time) []target {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []*turn
	for _, turn := range s.turns {
		if turn.slow == of.slow && !turn.underWay && !turn.next.After(now) {
			due = append(due, turn)
		}
	}
	slices.SortFunc(due, func(a, b *turn) int { return cmp.Or(a.next.Compare(b.next), cmp.Compare(a.uid, b.uid)) })
	targets := make([]target, 0, min(len(due), of.slots))
	for _, turn := range due[:min(len(due), of.slots)] {
		turn.underWay = true
		targets = append(targets, turn.target)
	}
	return targets
}

// settle takes in how a poll ended that was begun in a lane.
func (s *schedule) settle(of lane, asked target, began, ended time.Time, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn, ok := s.turns[asked.uid]
	if !ok {
		return
	}
	turn.underWay = false
	tookLong := ended.Sub(began) >= quickLane.timeout
	switch {
	case turn.life != asked.life:
		// It was asked before it started, or became ready: follow has given it a new turn.
	case !failed:
		turn.slow, turn.failures, turn.next, turn.asked = tookLong, 0, began.Add(interval), true
	case tookLong && !of.slow:
		turn.slow, turn.next = true, ended // it may need more time than the quick lane has
	default:
		turn.slow, turn.asked = true, true
		turn.next = began.Add(min(interval<<min(turn.failures, 10), maxPause))
		turn.failures++
	}
}

// heard says that each pod that there was at the start has been asked, or is gone.
func (s *schedule) heard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, turn := range s.turns {
		if turn.first && !turn.asked {
			return false
		}
	}
	return s.followed
}
