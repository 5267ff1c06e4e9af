package oracle

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMigration sends the corpus to both sides. What they answer differently is listed, with a number and a reason,
// or the test fails.
func TestMigration(t *testing.T) {
	python := interpreter(t)
	differences, requests := readDifferences(t), readCorpus(t)
	fastapi := startFastAPI(t, python, startModel(t))
	gateway := startGateway(t, startModel(t))
	deltas := compareDocuments(document(t, fastapi), document(t, gateway))
	equal := 0
	for i := range requests {
		found := both(t, fastapi, gateway, &requests[i])
		if len(found) == 0 {
			equal++
		}
		deltas = append(deltas, found...)
	}
	v := judge(differences, deltas)
	if err := v.print(t.Output()); err != nil {
		t.Error(err)
	}
	t.Logf("%d of %d requests are answered alike", equal, len(requests))
	if len(v.unlisted) > 0 {
		t.Errorf("%s differ and are not listed in differences.yaml: see NOT LISTED", count(v.unlisted))
	}
	if len(v.gone) > 0 {
		t.Errorf("%d places in differences.yaml show no difference: see NO LONGER THERE", len(v.gone))
	}
}

func both(t *testing.T, fastapi, gateway string, r *request) []delta {
	t.Helper()
	f, err := ask(t.Context(), fastapi, r)
	if err != nil {
		t.Fatalf("%s: FastAPI: %v", r.name, err)
	}
	g, err := ask(t.Context(), gateway, r)
	if err != nil {
		t.Fatalf("%s: LLMService: %v", r.name, err)
	}
	return compare(r, f, g)
}
