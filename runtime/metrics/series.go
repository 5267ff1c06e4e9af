package metrics

import "sync"

// series are those of one metric that have been counted so far, by what their labels are made of. Prometheus' own vectors take
// most of a microsecond, and memory, to find a series by the texts of its labels, for each request again. Labels are made of the
// config, and not of what clients send, so that there are few.
type series[Of comparable, S any] struct {
	labelled func(Of) S

	mu    sync.RWMutex
	known map[Of]S
}

func seriesOf[Of comparable, S any](labelled func(Of) S) *series[Of, S] {
	return &series[Of, S]{labelled: labelled, known: map[Of]S{}}
}

func (s *series[Of, S]) of(labels Of) S {
	s.mu.RLock()
	one, known := s.known[labels]
	s.mu.RUnlock()
	if known {
		return one
	}
	one = s.labelled(labels)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[labels] = one
	return one
}
