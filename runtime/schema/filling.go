package schema

import (
	"encoding/json"
	"maps"
	"slices"
)

// fillIn puts defaults into a document, as copies of what they change. What is filled in counts like what was sent.
func (f *filler) fillIn(doc *document, w *WorkBudget) error {
	if f == nil {
		return nil
	}
	pass := filling{doc: *doc, work: w}
	value, changed, err := pass.value(f, doc.value, 0)
	if err != nil {
		return err
	}
	if changed {
		*doc = pass.doc
		doc.value, doc.changed = value, true
	}
	return nil
}

// filling is one pass over one document.
type filling struct {
	doc  document // counts what is added
	work *WorkBudget
}

// value fills in a value at that depth, and reports whether it returns another one than it got.
func (f *filling) value(with *filler, v any, level int) (any, bool, error) {
	if with == nil {
		return v, false, nil
	}
	switch v := v.(type) {
	case map[string]any:
		out, changed, err := f.object(with, v, level)
		return out, changed, err
	case []any:
		out, changed, err := f.array(with, v, level)
		return out, changed, err
	default:
		return v, false, nil
	}
}

func (f *filling) step() error {
	if !f.work.step(1) {
		return f.work.err
	}
	return nil
}

func (f *filling) object(with *filler, in map[string]any, level int) (map[string]any, bool, error) {
	if err := f.step(); err != nil {
		return nil, false, err
	}
	out := object{members: in}
	for _, m := range with.members {
		v, changed, err := f.member(m, in, level)
		if err != nil {
			return nil, false, err
		}
		if changed {
			out.set(m.name, v)
		}
	}
	if err := f.others(with, in, &out, level); err != nil {
		return nil, false, err
	}
	for _, also := range with.branches(f.work, in) {
		v, changed, err := f.object(also, out.members, level)
		if err != nil {
			return nil, false, err
		}
		out = object{members: v, own: out.own || changed}
	}
	return out.members, out.own, nil
}

// member fills in one property, or gives its default, with what that lacks filled in as well.
func (f *filling) member(m memberFiller, in map[string]any, level int) (v any, changed bool, err error) {
	v, present := in[m.name]
	if !present {
		if m.fallback == nil {
			return nil, false, nil
		}
		if v, err = f.copy(*m.fallback, level+1); err != nil {
			return nil, false, err
		}
		f.doc.bytes += len(m.name)
	}
	v, changed, err = f.value(m.filler, v, level+1)
	return v, changed || !present, err
}

// others fills in the members that patternProperties and additionalProperties speak of.
func (f *filling) others(with *filler, in map[string]any, out *object, level int) error {
	if with.others == nil && len(with.matched) == 0 {
		return nil
	}
	for name := range in {
		if err := f.step(); err != nil {
			return err
		}
		for _, filler := range with.forName(f.work, name) {
			v, changed, err := f.value(filler, out.members[name], level+1)
			if err != nil {
				return err
			}
			if changed {
				out.set(name, v)
			}
		}
	}
	return nil
}

func (f *filler) forName(w *WorkBudget, name string) []*filler {
	var out []*filler
	for _, p := range f.matched {
		if w.match(p.pattern, name) {
			out = append(out, p.filler)
		}
	}
	if _, isKnown := f.known[name]; len(out) == 0 && !isKnown && f.others != nil {
		out = append(out, f.others)
	}
	return out
}

// branches lists what else applies to an object.
func (f *filler) branches(w *WorkBudget, in map[string]any) []*filler {
	if len(f.tagged) == 0 {
		return f.also
	}
	out := slices.Clone(f.also)
	for _, t := range f.tagged {
		w.unfilled = w.unfilled || w.isUnknown(in[t.property])
		tag, isTag := tagValue(in[t.property])
		if branch := t.branches[tag]; isTag && branch != nil {
			out = append(out, branch)
		}
	}
	return out
}

func (f *filling) array(with *filler, in []any, level int) ([]any, bool, error) {
	if err := f.step(); err != nil {
		return nil, false, err
	}
	out, own := in, false
	for i := range in {
		filler := with.items
		if i < len(with.prefix) {
			filler = with.prefix[i]
		}
		v, changed, err := f.value(filler, in[i], level+1)
		if err != nil {
			return nil, false, err
		}
		if changed {
			if !own {
				out, own = slices.Clone(in), true
				f.doc.repeats.note(out, f.doc.repeats.of(in), &f.doc)
			}
			out[i] = v
		}
	}
	for _, also := range with.also {
		v, changed, err := f.array(also, out, level)
		if err != nil {
			return nil, false, err
		}
		out, own = v, own || changed
	}
	if with.isSet {
		kept, dropped, err := f.drop(out)
		return kept, own || dropped, err
	}
	return out, own, nil
}

// object is copied before its first change.
type object struct {
	members map[string]any
	own     bool
}

func (o *object) set(name string, v any) { o.writable()[name] = v }

func (o *object) drop(name string) { delete(o.writable(), name) }

func (o *object) writable() map[string]any {
	if !o.own {
		o.members, o.own = maps.Clone(o.members), true
	}
	return o.members
}

// copy gives a fresh copy of a default, since its receiver may change it, and counts it.
func (f *filling) copy(v any, level int) (any, error) {
	f.doc.nodes++
	if f.doc.nodes > MaxBodyNodes {
		return nil, tooManyNodes(MaxBodyNodes)
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			c, err := f.copy(member, level+1)
			if err != nil {
				return nil, err
			}
			out[name] = c
			f.doc.bytes += len(name)
		}
		return out, f.doc.descend(level + 1)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			c, err := f.copy(item, level+1)
			if err != nil {
				return nil, err
			}
			out[i] = c
		}
		return out, f.doc.descend(level + 1)
	case string:
		f.doc.bytes += len(v)
	case json.Number:
		f.doc.rough = true
	}
	return v, nil
}
