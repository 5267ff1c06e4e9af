package config

// ActionKinds has a method for each kind of action, and StepKinds for each kind of step: what is done with each of them is a
// type with these methods, so that none can be forgotten.
type ActionKinds[R any] interface {
	Chat(*Chat) R
	Embeddings(*Embeddings) R
	HTTP(*HTTPCall) R
	Call(*Call) R
	Agent(*Agent) R
}

// StepKinds are those of an action, and those that only a step has.
type StepKinds[R any] interface {
	ActionKinds[R]
	Gather(*Gather) R
	ForEach(*ForEach) R
	Set(*Set) R
	Respond(*Respond) R
}

// OfAction calls the method of the kind that is set; false says that none is.
func OfAction[R any](a *Action, k ActionKinds[R]) (R, bool) {
	switch {
	case a.Chat != nil:
		return k.Chat(a.Chat), true
	case a.Embeddings != nil:
		return k.Embeddings(a.Embeddings), true
	case a.HTTP != nil:
		return k.HTTP(a.HTTP), true
	case a.Call != nil:
		return k.Call(a.Call), true
	case a.Agent != nil:
		return k.Agent(a.Agent), true
	}
	var none R
	return none, false
}

// OfStep calls the method of the kind that is set; false says that none is.
func OfStep[R any](s *Step, k StepKinds[R]) (R, bool) {
	switch {
	case s.Gather != nil:
		return k.Gather(s.Gather), true
	case s.ForEach != nil:
		return k.ForEach(s.ForEach), true
	case s.Set != nil:
		return k.Set(s.Set), true
	case s.Respond != nil:
		return k.Respond(s.Respond), true
	}
	return OfAction(&s.Action, k)
}

// kind is a kind's member, and whether it is set.
type kind struct {
	member string
	set    bool
}

func (a *Action) kinds() []kind {
	return []kind{
		{"chat", a.Chat != nil},
		{"embeddings", a.Embeddings != nil},
		{"http", a.HTTP != nil},
		{"call", a.Call != nil},
		{"agent", a.Agent != nil},
	}
}

func (s *Step) kinds() []kind {
	return append(s.Action.kinds(), []kind{
		{"gather", s.Gather != nil},
		{"forEach", s.ForEach != nil},
		{"set", s.Set != nil},
		{"respond", s.Respond != nil},
	}...)
}

// Kinds are the members that are set, of which there has to be one, and all that there are.
func (a *Action) Kinds() (set, all []string) { return split(a.kinds()) }

// Kinds are the members that are set, of which there has to be one, and all that there are.
func (s *Step) Kinds() (set, all []string) { return split(s.kinds()) }

func split(kinds []kind) (set, all []string) {
	for _, k := range kinds {
		if all = append(all, k.member); k.set {
			set = append(set, k.member)
		}
	}
	return set, all
}
