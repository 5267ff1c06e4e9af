package upstream

// visits are the endpoints that a request was sent to. Most requests are sent to one. A nil pointer has none.
type visits struct {
	first *Endpoint
	more  map[*Endpoint]bool
}

func (v *visits) has(e *Endpoint) bool { return v != nil && (v.first == e || v.more[e]) }

func (v *visits) none() bool { return v == nil || v.first == nil && len(v.more) == 0 }

func (v *visits) add(e *Endpoint) {
	switch {
	case v.first == nil:
		v.first = e
	case v.more == nil:
		v.more = map[*Endpoint]bool{e: true}
	default:
		v.more[e] = true
	}
}

func (v *visits) forget(e *Endpoint) {
	if v.first == e {
		v.first = nil
	}
	delete(v.more, e)
}
