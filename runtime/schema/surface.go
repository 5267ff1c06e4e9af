package schema

import "slices"

// Several schemas that apply to one object may each lead on to its members. Together they cost a member what those cost that
// lead to its name, which is less than the sum of what each costs at worst: the metaschema, for one, has seven parts that
// apply to the same object, each with properties of its own. A surface is the list of names that a schema, with all that it
// applies to the same value, tells apart.
type surface struct {
	names   map[string]int // their positions
	here    []edge         // as in node
	dynamic []edge
	crude   bool // tells no names apart
}

// edge leads to a node whose k-th name has position to[k].
type edge struct {
	node int
	to   []int
}

// maxNames bounds the names of all surfaces of a schema together, which bounds the work of following them down.
const maxNames = 1 << 15

// surfaces gives each node's. Once there are too many names, further ones are crude.
func (g *graph) surfaces(order []int) []surface {
	out := make([]surface, len(g.nodes))
	left := maxNames
	for _, i := range order {
		n := g.nodes[i]
		size := len(n.properties)
		for _, j := range slices.Concat(n.here, n.dynamic) {
			size += len(out[j].names)
		}
		if left -= size; left < 0 {
			out[i] = surface{crude: true}
			left = 0
		} else {
			out[i].names = make(map[string]int, size)
			for name := range n.properties {
				out[i].position(name)
			}
		}
		for _, j := range n.here {
			out[i].here = append(out[i].here, out[i].edge(j, out[j].names))
		}
		for _, j := range n.dynamic {
			out[i].dynamic = append(out[i].dynamic, out[i].edge(j, out[j].names))
		}
	}
	return out
}

func (s *surface) position(name string) int {
	k, ok := s.names[name]
	if !ok {
		k = len(s.names)
		s.names[name] = k
	}
	return k
}

func (s *surface) edge(node int, names map[string]int) edge {
	e := edge{node: node}
	if s.crude {
		return e
	}
	e.to = make([]int, len(names))
	for name, k := range names {
		e.to[k] = s.position(name)
	}
	return e
}

// reach is what the schemas of a surface cost a value one level further down: an item, a member of a name that is not told
// apart, and, by position, how much more a member of a name that is.
type reach struct {
	item, other float64
	more        []float64
}

func (r *reach) member() float64 {
	if len(r.more) == 0 {
		return r.other
	}
	return r.other + max(0, slices.Max(r.more))
}

func (r *reach) worst() float64 { return max(r.item, r.member()) }

// reach sums what the node itself leads to, by what each schema costs there, and what the schemas reach that it applies to
// the same value.
func (s *surface) reach(n *node, below []float64, of []reach) reach {
	additional := total(n.additional, below)
	r := reach{
		item:  largest(n.item, below) + total(n.everyItem, below),
		other: additional + total(n.everyMember, below),
	}
	if len(s.names) > 0 {
		r.more = make([]float64, len(s.names))
	}
	most := 0.0
	for name, i := range n.properties {
		most = max(most, below[i]-additional)
		if !s.crude {
			r.more[s.names[name]] += below[i] - additional
		}
	}
	if s.crude {
		r.other += most
	}
	for _, e := range s.here {
		r.add(of[e.node], e.to, s.crude)
	}
	r.addLargest(s.dynamic, of, s.crude)
	return r
}

func (r *reach) add(other reach, to []int, crude bool) {
	r.item += other.item
	if crude {
		r.other += other.member()
		return
	}
	r.other += other.other
	for k, position := range to {
		r.more[position] += other.more[k]
	}
}

// addLargest adds, for each name and for items, the reach that is the largest there.
func (r *reach) addLargest(edges []edge, of []reach, crude bool) {
	var most reach
	for _, e := range edges {
		most.item = max(most.item, of[e.node].item)
		most.other = max(most.other, of[e.node].other)
		if crude {
			most.other = max(most.other, of[e.node].member())
		}
	}
	r.item += most.item
	r.other += most.other
	if crude || len(edges) == 0 {
		return
	}
	more := make([]float64, len(r.more))
	for _, e := range edges {
		for k, position := range e.to {
			more[position] = max(more[position], of[e.node].other+of[e.node].more[k]-most.other)
		}
	}
	for k := range more {
		r.more[k] += more[k]
	}
}
