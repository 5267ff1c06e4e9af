package rollout

import "testing"

func TestOriginTo(t *testing.T) {
	had := Origin{Format: 1, Spec: "s1", Template: "t1", Turn: TurnTaken}
	for _, tt := range []struct {
		name        string
		had, wanted Origin
		want        Change
	}{
		{"the same", had, Origin{Format: 1, Spec: "s1", Template: "t1"}, Unchanged},
		{"a spec that makes the same template", had, Origin{Format: 1, Spec: "s2", Template: "t1"}, Unchanged},
		{"another spec", had, Origin{Format: 1, Spec: "s2", Template: "t2"}, OfSpec},
		{"another operator", had, Origin{Format: 1, Spec: "s1", Template: "t2"}, OfOperator},
		{"a release that compares other things", had, Origin{Format: 2, Spec: "s2", Template: "t2"}, OfOperator},
		{"a release that recorded nothing", Origin{}, Origin{Format: 1, Spec: "s1", Template: "t1"}, OfOperator},
		{"held, as it was", Origin{}.Held(Origin{Format: 1, Spec: "s1", Template: "t1"}), Origin{Format: 1, Spec: "s1", Template: "t1"}, OfOperator},
		{"held, with another spec", Origin{}.Held(Origin{Format: 1, Spec: "s1", Template: "t1"}), Origin{Format: 1, Spec: "s2", Template: "t2"}, OfSpec},
		{"held with a record, with another spec", had.Held(Origin{Format: 1, Spec: "s1", Template: "t2"}), Origin{Format: 1, Spec: "s2", Template: "t3"}, OfSpec},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.had.To(tt.wanted); got != tt.want {
				t.Errorf("the change is %v, want %v", got, tt.want)
			}
		})
	}
}

// What a release records, another reads: a turn of which it knows no kind is somebody's turn.
func TestOriginIsRead(t *testing.T) {
	for _, tt := range []struct {
		annotation string
		want       Origin
	}{
		{"", Origin{}},
		{"[]", Origin{}},
		{`{"format":1,"spec":"s","template":"t"}`, Origin{Format: 1, Spec: "s", Template: "t"}},
		{`{"format":1,"spec":"s","template":"t","turn":"Unproven"}`, Origin{Format: 1, Spec: "s", Template: "t", Turn: TurnUnproven}},
		{`{"format":9,"turn":"Later","more":{}}`, Origin{Format: 9, Turn: TurnTaken}},
	} {
		got := ReadOrigin(tt.annotation)
		if got != tt.want {
			t.Errorf("%s is read as %+v, want %+v", tt.annotation, got, tt.want)
		}
		encoded, err := got.Encode()
		if err != nil || ReadOrigin(encoded) != got {
			t.Errorf("%+v is written as %s: %v", got, encoded, err)
		}
	}
	if turn := (Origin{Format: 1, Turn: TurnTaken}).Held(Origin{Format: 1}).Turn; turn != "" {
		t.Errorf("a held one has the turn %s", turn)
	}
}
