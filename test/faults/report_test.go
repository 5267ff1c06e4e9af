package faults

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/test/seed"
)

// Report is where the page about all this is written, with the figures of the runs that were played; empty for nowhere.
const Report = "LLMSERVICE_FAULTS_REPORT"

// page is the part of docs/reliability.md that stays the same from run to run.
const page = `# Reliability

The operator is tested against a real API server while something goes wrong between the two. ` + "`make soak`" + ` plays each script
below under each fault, every write and every kind, and writes this page; ` + "`make test`" + ` plays a share that is chosen at random, and
prints the seed that plays the same again (` + "`" + seed.Variable + "`" + `; ` + "`" + Only + "`" + `, a regular expression over SCRIPT/FAULT,
selects some). The faults are below the operator's caches. There is no kubelet and no controller-manager: the suite plays the
Deployment controller, the kubelets, the gateways, an autoscaler and the garbage collector.

Each run ends like the undisturbed one: the same children, byte for byte but for UIDs, the same status, and no more writes that change
a child. After it, nothing is written any more.

`

// sections are the tables.
func sections() string {
	var text strings.Builder
	text.WriteString("## What people do\n\n| script | steps |\n|---|---|\n")
	for _, s := range scripts {
		fmt.Fprintf(&text, "| %s | %s |\n", s.name, s.about)
	}
	text.WriteString("\n## What goes wrong\n\n| fault | how |\n|---|---|\n")
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		fmt.Fprintf(&text, "| %s | %s |\n", class, classes[class])
	}
	text.WriteString("\n## What holds at every write\n\n")
	for _, rule := range held {
		fmt.Fprintf(&text, "- %s\n", rule)
	}
	return text.String()
}

// classes says of each class of faults what happens.
var classes = map[string]string{
	"crash before a write": "the operator ends as it sends its write k, which never arrives, and another starts; for every k",
	"crash after a write":  "the same, and the write is done, but its answer is lost; for every k",
	"events " + dropped:    "half of one kind's events are lost; a moment later the watch ends as expired, and the kind is listed anew",
	"events " + doubled:    "each event of every kind comes twice",
	"events " + late:       "one kind is seen a second late, while all others are seen at once",
	"events " + coalesced:  "of several events about one object of a kind, only the last is seen",
	"events " + withheld:   "nothing that happens to one kind is seen before the script is through",
	"old view":             "the operator is restarted onto an API server that answers, for a while, as it did before a step",
	"requests fail":        "one request in five fails: 409, 429 with Retry-After, 500, a timeout before or after the API server did it",
	"a kind unwritable":    "every write of one kind is refused, in one script by 403, in others by 422, or by 500 as by a webhook that is down; a condition says so",
	"killed":               "the operator is killed at any moment, again and again",
	restarted:              "kube-apiserver is killed before or after a write, drawn at random, and started again, while etcd lives",
	"watches cut":          "all connections of watches are cut, twice in each step",
	"clock steps":          "the operator's clock goes an hour forth, then two back",
	"two operators":        "two operators do the same work, without a lease",
}

// held are the rules of rules_test.go.
var held = []string{
	"`Ready` is never True of a generation before all that it asserts was there: the children of that spec, pods of the latest " +
		"template only, every gateway on the delivered revision, and at least `minReplicas` of them ready. What somebody edits by hand counts once it can have been seen.",
	"Each child is of a spec that was accepted, never of an older one than before, and of the one that the ConfigMap names.",
	"No write takes replicas away that are asked for.",
	"Pods are replaced for a change of what replaces pods, and for nothing else.",
	"The last good config is one that a gateway has served, and is not lost.",
	"What belongs to somebody else, or to a deleted service of the same name, is not written to.",
	"Pods are written with their UID, statuses with the version that they were decided from; a deletion names both.",
	"`status.streams.lastCut` is of a pod of this very service.",
}

// tally counts what was played.
var tally struct {
	sync.Mutex

	runs, failed map[string]int
}

// count takes in how a run ended.
func count(t *testing.T, script string) {
	t.Helper()
	t.Cleanup(func() {
		tally.Lock()
		defer tally.Unlock()
		if tally.runs == nil {
			tally.runs, tally.failed = map[string]int{}, map[string]int{}
		}
		tally.runs[script]++
		if t.Failed() {
			tally.failed[script]++
		}
	})
}

// writeReport writes the page, with the figures of what was played.
// writeReport writes the page. A script that was not played now keeps the figures that the page has of it.
func writeReport(path string) error {
	tally.Lock()
	defer tally.Unlock()
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString(page + sections() + "\n" + figures + "\n\n| script | runs | failed |\n|---|---|---|\n")
	runs, failed := 0, 0
	for _, s := range scripts {
		n, bad := tally.runs[s.name], tally.failed[s.name]
		if n == 0 {
			n, bad = rowOf(s.name, string(before))
		}
		if n > 0 {
			fmt.Fprintf(&text, "| %s | %d | %d |\n", s.name, n, bad)
		}
		runs, failed = runs+n, failed+bad
	}
	fmt.Fprintf(&text, "| all | %d | %d |\n", runs, failed)
	return os.WriteFile(path, []byte(text.String()), 0o600)
}

// rowOf reads a script's figures from the page; they are 0 if it has none.
func rowOf(script, page string) (runs, failed int) {
	_, row, _ := strings.Cut(page[strings.Index(page, figures)+1:], "\n| "+script+" | ")
	if _, err := fmt.Sscanf(row, "%d | %d |", &runs, &failed); err != nil {
		return 0, 0
	}
	return runs, failed
}

const figures = "## The last soak of each script"

// TestReliabilityPage holds docs/reliability.md to what is played.
func TestReliabilityPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	told, _, _ := strings.Cut(string(text), "\n"+figures)
	if diff := cmp.Diff(page+sections(), told); diff != "" {
		t.Errorf("`make soak` writes it (-want +got):\n%s", diff)
	}
	for _, f := range faults(scripts[0], 1) {
		if classes[f.class] == "" {
			t.Errorf("nothing is told of the fault %q", f.class)
		}
	}
}
