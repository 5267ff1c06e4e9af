package requestlog

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// place is where in a route work is done: a step, a branch, a function, below another place.
type place struct {
	record *Record
	above  *place
	list   string
	name   string
	// last is the latest call of an upstream that failed here; its number is 0 if none has. The record's mu guards it.
	last Attempt
}

type placeKey struct{}

func placeOf(ctx context.Context) *place {
	p, _ := ctx.Value(placeKey{}).(*place)
	return p
}

// In is the context of the work that is done for a request.
func (r *Record) In(ctx context.Context) context.Context {
	return context.WithValue(ctx, placeKey{}, &r.whole)
}

// Of is the record of the request that work is done for; nil if there is none.
func Of(ctx context.Context) *Record {
	if p := placeOf(ctx); p != nil {
		return p.record
	}
	return nil
}

// IdentityIn is the identity of the request that work is done for; nil if there is none.
func IdentityIn(ctx context.Context) *Identity {
	if r := Of(ctx); r != nil {
		return &r.Identity
	}
	return nil
}

// At is the context of the work of a named member of a list of the route: a step, a branch, a function. The names are those of the
// config.
func At(ctx context.Context, list, name string) context.Context {
	above := placeOf(ctx)
	if above == nil {
		return ctx
	}
	return context.WithValue(ctx, placeKey{}, &place{record: above.record, above: above, list: list, name: name})
}

// PlaceIn is the way to the work that a context is for, as a manifest has it; it is empty for the route as a whole.
func PlaceIn(ctx context.Context) string { return placeOf(ctx).String() }

// String is the way to the place, as a manifest has it: steps[answer].branches[big].
func (p *place) String() string {
	var way []string
	for ; p != nil && p.above != nil; p = p.above {
		way = append(way, p.list+"["+p.name+"]")
	}
	slices.Reverse(way)
	return strings.Join(way, ".")
}

// placedError is an error of which it is known where it has happened. Its text does not say so.
type placedError struct {
	error

	at *place
}

func (e *placedError) Unwrap() error { return e.error }

// Placed remembers with an error where it has happened, unless that is known already. It returns nil for nil.
func Placed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return placed(placeOf(ctx), err)
}

func placed(at *place, err error) error {
	if _, known := errors.AsType[*placedError](err); known || at == nil {
		return err
	}
	at.record.note(at)
	return &placedError{err, at}
}

// InPlaceOf gives an error the place of another that it stands for.
func InPlaceOf(was, err error) error {
	if known, ok := errors.AsType[*placedError](was); ok && err != nil {
		return placed(known.at, err)
	}
	return err
}
