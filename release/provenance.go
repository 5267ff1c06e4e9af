package release

import (
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// buildType says how the parameters of the provenance are to be read.
	buildType = home + "/blob/main/docs/releasing.md#provenance"
	// ByHand is the builder of a release that somebody makes on a machine of their own.
	ByHand = home + "/blob/main/docs/releasing.md#by-hand"
)

// writeProvenance writes an in-toto statement (https://in-toto.io/Statement/v1) about all files and images, whose predicate is
// SLSA's provenance (https://slsa.dev/spec/v1.0/provenance). It has no time and no number of a run, so that each run makes the same
// one.
func (r *release) writeProvenance(context.Context) error {
	predicate, err := r.predicate()
	if err != nil {
		return err
	}
	statement := &intoto.Statement{
		Type: intoto.StatementTypeUri, Subject: r.subjects(), PredicateType: "https://slsa.dev/provenance/v1", Predicate: predicate,
	}
	if err := statement.Validate(); err != nil {
		return fmt.Errorf("make a statement: %w", err)
	}
	loose, err := protojson.Marshal(statement)
	if err != nil {
		return fmt.Errorf("write a statement: %w", err)
	}
	// protojson puts in blanks that differ from one build of this program to the next, on purpose.
	var text bytes.Buffer
	if err := json.Indent(&text, loose, "", "  "); err != nil {
		return fmt.Errorf("write a statement: %w", err)
	}
	text.WriteByte('\n')
	return r.write("provenance.json", text.Bytes())
}

// subjects are the files and the images.
func (r *release) subjects() []*intoto.ResourceDescriptor {
	var all []*intoto.ResourceDescriptor
	for _, name := range slices.Sorted(maps.Keys(r.digests)) {
		all = append(all, &intoto.ResourceDescriptor{Name: name, Digest: map[string]string{"sha256": r.digests[name]}})
	}
	for _, name := range slices.Sorted(maps.Keys(r.images)) {
		digest := strings.TrimPrefix(r.images[name], "sha256:")
		all = append(all, &intoto.ResourceDescriptor{Name: name, Digest: map[string]string{"sha256": digest}})
	}
	return all
}

func (r *release) predicate() (*structpb.Struct, error) {
	materials, err := r.materials()
	if err != nil {
		return nil, err
	}
	commands := []any{}
	for _, p := range r.programs {
		commands = append(commands, strings.Join(r.source.environment(p), " ")+" "+quoted(p.command))
	}
	external, err := structpb.NewStruct(map[string]any{
		"repository": home, "commit": r.source.commit, "version": r.version, "platform": cmp.Or(r.Platform, "all"),
	})
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	internal, err := structpb.NewStruct(map[string]any{"go": r.source.toolchain, "commands": commands})
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	p := &provenance.Provenance{
		BuildDefinition: &provenance.BuildDefinition{
			BuildType: buildType, ExternalParameters: external, InternalParameters: internal, ResolvedDependencies: materials,
		},
		RunDetails: &provenance.RunDetails{Builder: &provenance.Builder{Id: r.BuilderID}},
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("make the predicate: %w", err)
	}
	text, err := protojson.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the predicate: %w", err)
	}
	predicate := &structpb.Struct{}
	if err := protojson.Unmarshal(text, predicate); err != nil {
		return nil, fmt.Errorf("write the predicate: %w", err)
	}
	return predicate, nil
}

// quoted is a command as a shell reads it.
func quoted(command []string) string {
	words := slices.Clone(command)
	for i, word := range words {
		if strings.Contains(word, " ") {
			words[i] = "'" + word + "'"
		}
	}
	return strings.Join(words, " ")
}

// materials are the commit, the Go, and each module that is in a program or was used to make a manifest.
func (r *release) materials() ([]*intoto.ResourceDescriptor, error) {
	modules := map[string]string{}
	for _, p := range r.programs {
		for _, m := range p.info.Deps {
			modules[moduleURL(m)] = m.Sum
		}
	}
	for _, tool := range []string{r.Helm, r.Kustomize} {
		info, err := buildinfo.ReadFile(tool)
		if err != nil {
			return nil, fmt.Errorf("read how %s was built: %w", tool, err)
		}
		modules[moduleURL(&info.Main)] = info.Main.Sum
	}
	all := []*intoto.ResourceDescriptor{
		{Uri: "git+" + home, Digest: map[string]string{"gitCommit": r.source.commit}},
		{Uri: "pkg:golang/std@" + strings.TrimPrefix(r.source.toolchain, "go")},
	}
	for _, url := range slices.Sorted(maps.Keys(modules)) {
		digest, err := directoryHash(modules[url])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", url, err)
		}
		all = append(all, &intoto.ResourceDescriptor{Uri: url, Digest: digest})
	}
	return all, nil
}

func moduleURL(m *debug.Module) string { return "pkg:golang/" + m.Path + "@" + m.Version }

// directoryHash is a checksum of go.sum in in-toto's form, which is hexadecimal
// (https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md).
func directoryHash(sum string) (map[string]string, error) {
	text, ok := strings.CutPrefix(sum, "h1:")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, fmt.Errorf("checksum %q, want h1: and base64", sum)
	}
	return map[string]string{"dirHash": hex.EncodeToString(raw)}, nil
}
