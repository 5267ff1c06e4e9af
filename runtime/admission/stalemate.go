package admission

import (
	"cmp"
	"slices"
)

// A request that holds memory and waits for more keeps others waiting, and they may keep it waiting in turn: twenty that
// read large answers together would each get a part of the memory, and none of them a whole. So requests must not wait for each
// other. If no order is left in which the requests could get what they wait for, the oldest is served next,
// and the youngest are refused until there is room for it: the same requests win as long as they are there, rather than all
// of them losing.

// stuck is a request that holds memory and gives none of it back before it gets more: all of its parts that are at work
// wait.
type stuck struct {
	waiters []*waiter
	held    int
	need    int // the least that lets one of its parts go on
}

// victim is the waiter to refuse so that others need not wait in vain; nil for none.
func (b *Bytes) victim() *waiter {
	all := b.stuck()
	free := b.total // once all others have given back what they hold
	for _, s := range all {
		free -= s.held
	}
	if b.first == nil {
		b.first = oldest(deadlocked(all, free))
	}
	if b.first == nil || b.first.bytes <= free {
		return nil
	}
	var last *waiter // of its own request, which holds itself what it waits for
	for _, s := range slices.Backward(all) {
		youngest := s.waiters[len(s.waiters)-1]
		if youngest.hold != b.first.hold {
			return youngest
		}
		last = youngest
	}
	return last
}

// stuck lists those that are, the oldest first.
func (b *Bytes) stuck() []stuck {
	var all []stuck
	for from := 0; from < len(b.waiting); {
		hold, to := b.waiting[from].hold, from+1
		for to < len(b.waiting) && b.waiting[to].hold == hold {
			to++
		}
		waiters := b.waiting[from:to:to]
		if hold.held > 0 && int64(len(waiters)) > hold.more.Load() {
			least := slices.MinFunc(waiters, func(a, b *waiter) int { return cmp.Compare(a.bytes, b.bytes) })
			all = append(all, stuck{waiters: waiters, held: hold.held, need: least.bytes})
		}
		from = to
	}
	return all
}

// deadlocked are those of the stuck that would not get what they wait for even if all that can gave back what they hold:
// first those that are at work, which leaves free bytes, then each of the stuck that fits into these. It is the
// usual detection of deadlocks, for one kind of resource: the order of their needs is the best there is.
func deadlocked(all []stuck, free int) []stuck {
	left := slices.Clone(all)
	slices.SortFunc(left, func(a, b stuck) int { return cmp.Compare(a.need, b.need) })
	for len(left) > 0 && left[0].need <= free {
		free += left[0].held
		left = left[1:]
	}
	return left
}

func oldest(all []stuck) *waiter {
	if len(all) == 0 {
		return nil
	}
	first := slices.MinFunc(all, func(a, b stuck) int { return cmp.Compare(a.waiters[0].hold.age, b.waiters[0].hold.age) })
	return first.waiters[0]
}
