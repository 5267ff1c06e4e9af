package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"
)

// platform is the only one that is built here: the others take minutes each, and `make reproducible` has them all.
const platform = "linux/amd64"

var (
	onceMade sync.Once
	madeDir  string
)

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(madeDir)
	os.Exit(code)
}

// made is the directory of a release of this repository's commit, made once for all tests.
func made(t *testing.T) string {
	t.Helper()
	onceMade.Do(func() {
		dir, err := os.MkdirTemp("", "llmservice-made-") //nolint:usetesting // it outlives the first test that needs it
		if err != nil {
			t.Fatal(err)
		}
		makeOne(t, "..", filepath.Join(dir, "release"))
		madeDir = dir
	})
	if madeDir == "" {
		t.Fatal("the release was not made")
	}
	return filepath.Join(madeDir, "release")
}

func makeOne(t *testing.T, repository, out string) {
	t.Helper()
	o := Options{
		Repository: repository, Out: out, Helm: os.Getenv("LLMSERVICE_HELM"), Kustomize: os.Getenv("LLMSERVICE_KUSTOMIZE"),
		BuilderID: ByHand, Platform: platform, Log: t.Output(),
	}
	if o.Helm == "" || o.Kustomize == "" {
		t.Fatal("LLMSERVICE_HELM and LLMSERVICE_KUSTOMIZE have to name these programs: run make test-release")
	}
	if err := Make(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// digests are the SHA-256 of the files in a directory.
func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, entry := range entries {
		sum := sha256.Sum256(read(t, dir, entry.Name()))
		sums[entry.Name()] = hex.EncodeToString(sum[:])
	}
	return sums
}

// TestTwiceTheSame makes the release of a clone elsewhere, in another time zone, next to a file that is not of the commit.
func TestTwiceTheSame(t *testing.T) {
	first := digests(t, made(t))
	t.Setenv("TZ", "Asia/Tokyo")
	t.Setenv("TMPDIR", t.TempDir())
	clone := filepath.Join(t.TempDir(), "another", "place")
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "..", clone).CombinedOutput(); err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	for _, name := range []string{"cmd/gateway/notes.go", "charts/llmservice/notes.yaml"} {
		if err := os.WriteFile(filepath.Join(clone, name), []byte("package main\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "release")
	makeOne(t, clone, out)
	if diff := cmp.Diff(first, digests(t, out)); diff != "" {
		t.Errorf("these files differ:\n%s", diff)
	}
}

func TestEveryFileHasItsChecksum(t *testing.T) {
	dir := made(t)
	want := digests(t, dir)
	delete(want, "SHA256SUMS")
	listed := map[string]string{}
	for line := range strings.Lines(string(read(t, dir, "SHA256SUMS"))) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Errorf("line %q is not a checksum", line)
		}
		listed[name] = sum
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("SHA256SUMS (-files +listed):\n%s", diff)
	}
	for _, name := range []string{
		"gateway.oci.tar", "manager.oci.tar", "images.txt", "install.yaml", "install-with-webhook.yaml", "values-digests.yaml",
		"kubectl-llmservice_linux_amd64.tar.gz", "gateway_linux_amd64.cdx.json", "provenance.json",
	} {
		if want[name] == "" {
			t.Errorf("the release has no %s", name)
		}
	}
}

// TestBillOfMaterials: it has the modules of the program with their versions, the standard library, and nothing of the machine.
func TestBillOfMaterials(t *testing.T) {
	var bill cyclonedx.BOM
	text := read(t, made(t), "gateway_linux_amd64.cdx.json")
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(&bill); err != nil {
		t.Fatal(err)
	}
	if bill.SpecVersion != cyclonedx.SpecVersion1_6 || !strings.HasPrefix(bill.SerialNumber, "urn:uuid:") || bill.Components == nil {
		t.Fatalf("it is a bill of %v, number %q", bill.SpecVersion, bill.SerialNumber)
	}
	if bill.Metadata.Component.Name != "github.com/llmservice/llmservice" || !strings.HasPrefix(bill.Metadata.Component.Version, "v") {
		t.Errorf("it is about %s %s", bill.Metadata.Component.Name, bill.Metadata.Component.Version)
	}
	found := map[string]string{}
	for _, c := range *bill.Components {
		found[c.Name] = c.Version
	}
	mod, err := modfile.Parse("go.mod", read(t, "..", "go.mod"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimPrefix(mod.Toolchain.Name, "go"); !strings.HasSuffix(found["std"], want) {
		t.Errorf("its standard library is %q, want %s", found["std"], want)
	}
	i := slices.IndexFunc(mod.Require, func(r *modfile.Require) bool { return r.Mod.Path == "cel.dev/cel-go" })
	if want := mod.Require[i].Mod.Version; found["cel.dev/cel-go"] != want {
		t.Errorf("its cel-go is %q, want %s", found["cel.dev/cel-go"], want)
	}
	if found["k8s.io/api"] != "" {
		t.Error("the gateway has Kubernetes' API in it")
	}
}

type material struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// statement is the provenance, as its specifications have it.
type statement struct {
	Type    string `json:"_type"`
	Subject []struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	PredicateType string `json:"predicateType"`
	Predicate     struct {
		BuildDefinition struct {
			BuildType          string            `json:"buildType"`
			ExternalParameters map[string]string `json:"externalParameters"`
			InternalParameters struct {
				Go       string   `json:"go"`
				Commands []string `json:"commands"`
			} `json:"internalParameters"`
			ResolvedDependencies []material `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		RunDetails struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
		} `json:"runDetails"`
	} `json:"predicate"`
}

// TestProvenance: it is about every other file and each image, and names the commit, the Go, the commands and the digest of each module.
func TestProvenance(t *testing.T) {
	dir := made(t)
	var s statement
	decoder := json.NewDecoder(bytes.NewReader(read(t, dir, "provenance.json")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Type != "https://in-toto.io/Statement/v1" || s.PredicateType != "https://slsa.dev/provenance/v1" {
		t.Errorf("it is a %s of a %s", s.Type, s.PredicateType)
	}
	want := digests(t, dir)
	delete(want, "SHA256SUMS")
	delete(want, "provenance.json")
	for line := range strings.FieldsSeq(string(read(t, dir, "images.txt"))) {
		name, digest, _ := strings.Cut(line, "@sha256:")
		want[name[:strings.LastIndex(name, ":")]] = digest
	}
	got := map[string]string{}
	for _, subject := range s.Subject {
		got[subject.Name] = subject.Digest["sha256"]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it is about (-files +subjects):\n%s", diff)
	}
	checkBuild(t, &s)
}

func checkBuild(t *testing.T, s *statement) {
	t.Helper()
	head, err := exec.CommandContext(t.Context(), "git", "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	commit := strings.TrimSpace(string(head))
	build := s.Predicate.BuildDefinition
	if build.ExternalParameters["commit"] != commit || s.Predicate.RunDetails.Builder.ID != ByHand {
		t.Errorf("it names %v, built by %s", build.ExternalParameters, s.Predicate.RunDetails.Builder.ID)
	}
	if !strings.HasPrefix(build.InternalParameters.Go, "go1.") || len(build.InternalParameters.Commands) != 3 {
		t.Errorf("it was built with %+v", build.InternalParameters)
	}
	materials := map[string]map[string]string{}
	for _, m := range build.ResolvedDependencies {
		materials[m.URI] = m.Digest
		if m.Digest["dirHash"] == "" && m.Digest["gitCommit"] == "" && !strings.HasPrefix(m.URI, "pkg:golang/std@") {
			t.Errorf("%s has no digest", m.URI)
		}
	}
	if got := materials["git+"+home]["gitCommit"]; got != commit {
		t.Errorf("its source is commit %q, want %s", got, commit)
	}
	for _, want := range []string{
		"pkg:golang/cel.dev/cel-go@", "pkg:golang/k8s.io/client-go@",
		"pkg:golang/helm.sh/helm/v4@", "pkg:golang/sigs.k8s.io/kustomize/kustomize/v5@",
	} {
		if !slices.ContainsFunc(build.ResolvedDependencies, func(m material) bool { return strings.HasPrefix(m.URI, want) }) {
			t.Errorf("it has no material %s", want)
		}
	}
}
