package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A projection sets a value to what another one of another type is in it. Its errors begin with what leads from it
// to the value at fault, to stand after the path of the value.
type projection func(from, to reflect.Value) error

// difference is what a type has that the projection by names does not say.
type difference struct {
	inSpec, inContract []string
	// also sets what follows from more than one member.
	also func(from, to reflect.Value)
}

func also[From, To any](set func(*From, *To)) func(from, to reflect.Value) {
	return func(from, to reflect.Value) {
		set(from.Addr().Interface().(*From), to.Addr().Interface().(*To)) //nolint:forcetypeassert // the plan has these types
	}
}

// pair are the types of a projection.
type pair struct{ from, to reflect.Type }

// converted is a projection that somebody has written.
type converted struct {
	pair

	project projection
}

func conversion[From, To any](convert func(From) (To, error)) converted {
	return converted{pair{reflect.TypeFor[From](), reflect.TypeFor[To]()}, func(from, to reflect.Value) error {
		value, err := convert(*from.Addr().Interface().(*From)) //nolint:forcetypeassert // the plan has these types
		if err != nil {
			return fmt.Errorf(": %w", err)
		}
		*to.Addr().Interface().(*To) = value //nolint:forcetypeassert // the same
		return nil
	}}
}

func conversionsOf(all ...converted) map[pair]projection {
	written := map[pair]projection{}
	for _, c := range all {
		written[c.pair] = c.project
	}
	return written
}

// planner makes projections, once: they know the fields then.
type planner struct {
	differences map[reflect.Type]difference
	conversions map[pair]projection
}

// mustPlan plans for types of this repository, which fit or are to be changed.
func mustPlan[From, To any](differences map[reflect.Type]difference, conversions map[pair]projection) projection {
	p := &planner{differences, conversions}
	project, err := p.plan(pair{reflect.TypeFor[From](), reflect.TypeFor[To]()})
	if err != nil {
		panic(err)
	}
	return project
}

// scalars are those of the spec, and what the contract has for them.
var scalars = map[reflect.Kind]reflect.Kind{
	reflect.String: reflect.String, reflect.Bool: reflect.Bool, reflect.Int32: reflect.Int,
}

// scalar sets a value of a kind without a value in between, which would be allocated.
func scalar(kind reflect.Kind) projection {
	return func(from, to reflect.Value) error {
		switch kind {
		case reflect.String:
			to.SetString(from.String())
		case reflect.Bool:
			to.SetBool(from.Bool())
		default:
			to.SetInt(from.Int())
		}
		return nil
	}
}

func (p *planner) plan(t pair) (projection, error) {
	from, to := t.from.Kind(), t.to.Kind()
	switch written := p.conversions[t]; {
	case written != nil:
		return written, nil
	case from == reflect.Pointer:
		return p.pointer(t)
	case to == reflect.Pointer:
		return p.present(t)
	case from == reflect.Struct && to == reflect.Struct:
		return p.object(t)
	case from == reflect.Slice && to == reflect.Slice:
		return p.list(t)
	case from == reflect.Map && to == reflect.Map && t.from.Key() == t.to.Key():
		return p.table(t)
	case scalars[from] == to && to != reflect.Invalid:
		return scalar(to), nil
	}
	return nil, fmt.Errorf("no %s can be made of a %s", t.to, t.from)
}

// pointer projects a value that may be absent. If the contract always has one, it is that of an empty value.
func (p *planner) pointer(t pair) (projection, error) {
	target := t.to
	if target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	project, err := p.plan(pair{t.from.Elem(), target})
	if err != nil {
		return nil, err
	}
	empty := reflect.New(t.from.Elem()).Elem()
	return func(from, to reflect.Value) error {
		switch {
		case to.Kind() != reflect.Pointer && from.IsNil():
			return project(empty, to)
		case to.Kind() != reflect.Pointer:
			return project(from.Elem(), to)
		case from.IsNil():
			return nil
		}
		to.Set(reflect.New(target))
		return project(from.Elem(), to.Elem())
	}, nil
}

// present projects what is never absent, and may be in the contract.
func (p *planner) present(t pair) (projection, error) {
	project, err := p.plan(pair{t.from, t.to.Elem()})
	return func(from, to reflect.Value) error {
		to.Set(reflect.New(to.Type().Elem()))
		return project(from, to.Elem())
	}, err
}

func (p *planner) list(t pair) (projection, error) {
	project, err := p.plan(pair{t.from.Elem(), t.to.Elem()})
	return func(from, to reflect.Value) error {
		if from.Len() == 0 {
			return nil
		}
		to.Set(reflect.MakeSlice(to.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			if err := project(from.Index(i), to.Index(i)); err != nil {
				return fmt.Errorf("[%d]%w", i, err)
			}
		}
		return nil
	}, err
}

func (p *planner) table(t pair) (projection, error) {
	project, err := p.plan(pair{t.from.Elem(), t.to.Elem()})
	return func(from, to reflect.Value) error {
		if from.Len() == 0 {
			return nil
		}
		to.Set(reflect.MakeMapWithSize(to.Type(), from.Len()))
		for at := from.MapRange(); at.Next(); {
			value := reflect.New(to.Type().Elem()).Elem()
			if err := project(at.Value(), value); err != nil {
				return fmt.Errorf(".%s%w", at.Key(), err)
			}
			to.SetMapIndex(at.Key(), value)
		}
		return nil
	}, err
}

// member is a member of JSON objects, and where it stands in the struct.
type member struct {
	index []int
	typ   reflect.Type
	// omitted is left out of the JSON if it is zero.
	omitted bool
}

// membersOf are a struct's by their names in JSON, those of embedded structs among them, as encoders have it.
func membersOf(t reflect.Type) map[string]member {
	members := map[string]member{}
	for _, field := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			continue
		}
		members[name] = member{field.Index, field.Type, strings.Contains(options, "omit")}
	}
	return members
}

// object projects a struct member by member.
func (p *planner) object(t pair) (projection, error) {
	from, to, differs := membersOf(t.from), membersOf(t.to), p.differences[t.from]
	if err := lacking(t.from, from, differs.inSpec, to); err != nil {
		return nil, err
	}
	if err := lacking(t.to, to, differs.inContract, from); err != nil {
		return nil, err
	}
	var all []projection
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if slices.Contains(differs.inSpec, name) {
			continue
		}
		project, err := p.plan(pair{from[name].typ, to[name].typ})
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", name, t.from, err)
		}
		all = append(all, atMember(name, from[name], to[name], project))
	}
	return func(from, to reflect.Value) error {
		for _, project := range all {
			if err := project(from, to); err != nil {
				return err
			}
		}
		if differs.also != nil {
			differs.also(from, to)
		}
		return nil
	}, nil
}

// atMember leaves out what the contract need not have.
func atMember(name string, source, target member, project projection) projection {
	return func(from, to reflect.Value) error {
		value := from.FieldByIndex(source.index)
		if target.omitted && value.IsZero() {
			return nil
		}
		if err := project(value, to.FieldByIndex(target.index)); err != nil {
			return fmt.Errorf(".%s%w", name, err)
		}
		return nil
	}
}

// lacking returns an error for a member that the other type lacks, or has although it is listed as a difference.
func lacking(t reflect.Type, members map[string]member, own []string, others map[string]member) error {
	for _, name := range own {
		_, has := members[name]
		if _, both := others[name]; both || !has {
			return fmt.Errorf("%s of %s is a member of both or neither, and is said to be its own", name, t)
		}
	}
	for name := range members {
		if _, both := others[name]; !both && !slices.Contains(own, name) {
			return fmt.Errorf("%s of %s has no counterpart on the other side", name, t)
		}
	}
	return nil
}
