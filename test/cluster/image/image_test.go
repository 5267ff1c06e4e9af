package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// compile builds a static program for Linux.
func compile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "gateway")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile: %v\n%s", err, out)
	}
	return program
}

// patched returns a copy of an ELF program with two bytes of it changed.
func patched(t *testing.T, program string, offset func(elf []byte) uint64, value uint16) string {
	t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint16(data[offset(data):], value)
	path := filepath.Join(t.TempDir(), "patched")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Offsets in a 64-bit ELF file: of the machine, and of the first segment's type.
func machine([]byte) uint64          { return 18 }
func firstSegment(elf []byte) uint64 { return binary.LittleEndian.Uint64(elf[32:]) }

func TestImageOfAStaticBinary(t *testing.T) {
	program := compile(t)
	img, err := FromBinary(program)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: []string{"/gateway"}, User: "65532:65532",
		Labels: map[string]string{"org.opencontainers.image.title": "gateway"},
	}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Error(diff)
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		t.Errorf("platform %s/%s", config.OS, config.Architecture)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	checkFiles(t, img, data)
}

// checkFiles checks that the image holds the program and nothing else.
func checkFiles(t *testing.T, img v1.Image, program []byte) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	archive := tar.NewReader(content)
	header, err := archive.Next()
	if err != nil {
		t.Fatal(err)
	}
	if header.Name != "gateway" || header.Mode != 0o755 || header.Uid != 0 || header.Gid != 0 {
		t.Errorf("file %s, mode %o, owner %d:%d", header.Name, header.Mode, header.Uid, header.Gid)
	}
	if got, err := io.ReadAll(archive); err != nil || !bytes.Equal(got, program) {
		t.Errorf("the program changed on its way (%d bytes of %d, %v)", len(got), len(program), err)
	}
	if next, err := archive.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("a second file: %v, %v", next, err)
	}
}

func TestSameBinarySameBytes(t *testing.T) {
	program := compile(t)
	tag, err := ParseTag("local/gateway:dev")
	if err != nil {
		t.Fatal(err)
	}
	var archives [2][]byte
	for i := range archives {
		img, err := FromBinary(program)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "image.tar")
		if err := WriteArchive(path, tag, img); err != nil {
			t.Fatal(err)
		}
		if archives[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two images of one binary differ")
	}
}

func TestRefusesWhatCannotRunInAnEmptyRoot(t *testing.T) {
	text := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	static := compile(t)
	tests := map[string]struct{ path, want string }{
		"dynamic":      {patched(t, static, firstSegment, uint16(elf.PT_INTERP)), "dynamically linked"},
		"script":       {text, "not a Linux program"},
		"architecture": {patched(t, static, machine, uint16(elf.EM_RISCV)), "allowed: x86-64 and AArch64"},
		"absent":       {filepath.Join(t.TempDir(), "absent"), "no such file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := FromBinary(tt.path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTags(t *testing.T) {
	img, err := FromBinary(compile(t))
	if err != nil {
		t.Fatal(err)
	}
	for ref, canonical := range map[string]string{
		"local/gateway:dev":       "docker.io/local/gateway:dev",
		"gateway:dev":             "docker.io/library/gateway:dev",
		"example.com/gateway:1.2": "example.com/gateway:1.2",
	} {
		tag, err := ParseTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		if got := Canonical(tag); got != canonical {
			t.Errorf("%s is %s, want %s", ref, got, canonical)
		}
		path := filepath.Join(t.TempDir(), "image.tar")
		if err := WriteArchive(path, tag, img); err != nil {
			t.Fatal(err)
		}
		tags, err := Tags(path)
		if err != nil || len(tags) != 1 || Canonical(tags[0]) != canonical {
			t.Errorf("archive of %s names %v, %v", ref, tags, err)
		}
	}
	for _, ref := range []string{"gateway", "gateway:latest", "Gateway:dev", ""} {
		if tag, err := ParseTag(ref); err == nil {
			t.Errorf("%q was read as %s", ref, tag)
		}
	}
}
