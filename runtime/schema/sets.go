package schema

import (
	"slices"
)

// repeats says, of lists that items have been dropped from, where each item that was kept stood, and those like it. A list is
// known by the place in memory of its first item.
type repeats map[*any][][]int

// distinct gives a list without the items that were there before, and the positions that each of the others had.
func (w *WorkBudget) distinct(list []any) (kept []any, positions [][]int) {
	if _, _, found := w.duplicates(list); !found {
		return nil, nil
	}
	known := map[uint64][]int{} // positions in kept, by hash
	for i, item := range list {
		if w.err != nil {
			return nil, nil
		}
		h := w.hash(item)
		at := slices.IndexFunc(known[h], func(k int) bool { return w.equal(kept[k], item) })
		if at >= 0 {
			k := known[h][at]
			positions[k] = append(positions[k], i)
			continue
		}
		known[h] = append(known[h], len(kept))
		kept, positions = append(kept, item), append(positions, []int{i})
	}
	return kept, positions
}

// drop takes from a list what is there twice.
func (f *filling) drop(list []any) (kept []any, dropped bool, err error) {
	before := f.work.unknowns
	kept, positions := f.work.distinct(list)
	if f.work.unknowns > before {
		kept = nil
	}
	if f.work.err != nil {
		return nil, false, f.work.err
	}
	if kept == nil {
		return list, false, nil
	}
	if before := f.doc.repeats.of(list); before != nil { // from which some had been dropped already
		for k, later := range positions {
			positions[k] = nil
			for _, i := range later {
				positions[k] = append(positions[k], before[i]...)
			}
		}
	}
	f.doc.repeats.note(kept, positions, &f.doc)
	return kept, true, nil
}

func (r repeats) of(list []any) [][]int {
	if len(list) == 0 {
		return nil
	}
	return r[&list[0]]
}

func (r repeats) note(list []any, positions [][]int, doc *document) {
	if positions == nil {
		return
	}
	if r == nil {
		r = repeats{}
		doc.repeats = r
	}
	r[&list[0]] = positions
}

// unfolded gives what is wrong with each item that was sent, if the value that was checked has one item for several.
func (f *finder) unfolded(all []found) []found {
	if len(f.repeats) == 0 {
		return all
	}
	var out []found
	for i := range all {
		for _, loc := range f.repeats.places(f.root, all[i].Loc, len(f.at)) {
			if len(out) >= maxRanked {
				return out
			}
			one := all[i]
			one.Loc = loc
			out = append(out, one)
		}
	}
	return out
}

// places gives, for a loc whose first steps lead to a value, those that it stands for in what was sent; at most as
// many as are reported.
func (r repeats) places(v any, loc []any, prefix int) [][]any {
	all := [][]any{slices.Clone(loc[:min(prefix, len(loc))])}
	for _, step := range loc[len(all[0]):] {
		steps := []any{step}
		switch at := step.(type) {
		case int:
			list, _ := v.([]any)
			if positions := r.of(list); at < len(positions) {
				steps = steps[:0]
				for _, i := range positions[at] {
					steps = append(steps, i)
				}
			}
			if v = nil; at < len(list) {
				v = list[at]
			}
		case string:
			object, _ := v.(map[string]any)
			v = object[at]
		}
		all = times(all, steps)
	}
	return all
}

func times(all [][]any, steps []any) [][]any {
	out := make([][]any, 0, len(all))
	for _, loc := range all {
		for _, step := range steps {
			if len(out) < MaxViolations {
				out = append(out, append(slices.Clip(loc), step))
			}
		}
	}
	return out
}
