package oracle

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// migration is a program and the manifest that takes its place, with the requests that both get.
type migration struct{ module, manifest, corpus string }

// TestMigration sends each corpus to both sides. What they answer differently is listed, with a number and a reason,
// or the test fails.
func TestMigration(t *testing.T) {
	python := interpreter(t)
	differences := readDifferences(t)
	main := migration{"main", "service.yaml", "corpus"}
	fastapi, gateway := main.start(t, python)
	deltas := compareDocuments(document(t, fastapi), document(t, gateway))
	found, equal, requests := main.compare(t, fastapi, gateway)
	deltas = append(deltas, found...)

	sample := migration{"support", "../../config/samples/support.yaml", "corpus/support"}
	fastapi, gateway = sample.start(t, python)
	found, alike, more := sample.compare(t, fastapi, gateway)
	deltas, equal, requests = append(deltas, found...), equal+alike, requests+more

	v := judge(differences, deltas)
	if err := v.print(t.Output()); err != nil {
		t.Error(err)
	}
	t.Logf("%d of %d requests are answered alike", equal, requests)
	if len(v.unlisted) > 0 {
		t.Errorf("%s differ and are not listed in differences.yaml: see NOT LISTED", count(v.unlisted))
	}
	if len(v.gone) > 0 {
		t.Errorf("%d places in differences.yaml show no difference: see NO LONGER THERE", len(v.gone))
	}
}

// start runs both sides, and returns their addresses.
func (m migration) start(t *testing.T, python string) (fastapi, gateway string) {
	t.Helper()
	return startFastAPI(t, python, m.module, startModel(t)), startGateway(t, m.manifest, startModel(t))
}

// compare sends the corpus, and returns what differs, and how many requests of how many are answered alike.
func (m migration) compare(t *testing.T, fastapi, gateway string) (deltas []delta, equal, requests int) {
	t.Helper()
	all := readCorpus(t, m.corpus)
	for i := range all {
		found := both(t, fastapi, gateway, &all[i])
		if len(found) == 0 {
			equal++
		}
		deltas = append(deltas, found...)
	}
	return deltas, equal, len(all)
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
