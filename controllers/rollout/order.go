package rollout

import "cmp"

// candidate is a service that may be called.
type candidate struct {
	service  Service
	place    *place
	inFlight int64
	known    bool
}

// compare has the one first whose streams are the fewest, since it risks the least: of those whose state says whether the new
// template works. A service without replicas proves nothing, however idle it is.
func (c candidate) compare(d candidate) int {
	return cmp.Or(
		cmp.Compare(c.class(), d.class()),
		cmp.Compare(c.inFlight, d.inFlight),
		cmp.Compare(c.service.Namespace, d.service.Namespace),
		cmp.Compare(c.service.Name, d.service.Name),
	)
}

func (c candidate) class() int {
	switch {
	case c.place.refused:
		return 4
	case c.place.Empty:
		return 3
	case !c.place.Whole:
		return 2
	case !c.known:
		return 1
	default:
		return 0
	}
}
