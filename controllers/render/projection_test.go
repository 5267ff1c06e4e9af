package render

import (
	"reflect"
	"strings"
	"testing"
)

type (
	part struct {
		Name string `json:"name"`
	}
	spec struct {
		part
		Count *int32 `json:"count,omitempty"`
		Parts []part `json:"parts,omitempty"`
	}
	document struct {
		Name  string `json:"name"`
		Count int    `json:"count"`
		Parts []part `json:"parts"`
	}
	labelled struct {
		part  `json:"part"`
		Count *int32 `json:"count,omitempty"`
		Parts []part `json:"parts,omitempty"`
	}
	further struct {
		document
		More string `json:"more"`
	}
	retyped struct {
		part
		Count bool   `json:"count"`
		Parts []part `json:"parts"`
	}
)

// A member that only one side has, or that cannot be told what it becomes, is an error before any service is read.
func TestAProjectionNeedsBothSides(t *testing.T) {
	own := func(d difference) map[reflect.Type]difference {
		return map[reflect.Type]difference{reflect.TypeFor[spec](): d}
	}
	for name, tt := range map[string]struct {
		plan func() error
		want string
	}{
		"equal":                   {planned[spec, document](nil), ""},
		"in the contract only":    {planned[spec, further](nil), "more of render.further"},
		"and said to be":          {planned[spec, further](own(difference{inContract: []string{"more"}})), ""},
		"embedded under a name":   {planned[labelled, document](nil), "part of render.labelled"},
		"in the spec only":        {planned[further, document](nil), "more of render.further"},
		"said to be, and of both": {planned[spec, document](own(difference{inSpec: []string{"count"}})), "count of render.spec"},
		"said to be, and of none": {planned[spec, document](own(difference{inSpec: []string{"none"}})), "none of render.spec"},
		"of another type":         {planned[spec, retyped](nil), "count of render.spec: no bool can be made of a int32"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.plan()
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A plan that fails is a fault of this program, which must not start with it.
func TestAPlanThatFailsPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a projection without a member of the spec was made")
		}
	}()
	mustPlan[further, document](nil, nil)
}

func planned[From, To any](differences map[reflect.Type]difference) func() error {
	return func() error {
		_, err := (&planner{differences: differences}).plan(pair{reflect.TypeFor[From](), reflect.TypeFor[To]()})
		return err
	}
}
