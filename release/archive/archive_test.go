package archive_test

import (
	"archive/zip"
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/release/archive"
)

var (
	at    = time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
	files = []archive.File{
		{Name: "program", Data: []byte("code"), Executable: true},
		{Name: "LICENSE", Data: []byte("text")},
	}
)

// TestBytesFollowFromTheFiles: neither the order of the files nor the place of the clock changes an archive.
func TestBytesFollowFromTheFiles(t *testing.T) {
	other := slices.Clone(files)
	slices.Reverse(other)
	for name, write := range map[string]func(io.Writer, time.Time, []archive.File) error{"tar": archive.Tar, "zip": archive.Zip} {
		var a, b bytes.Buffer
		if err := write(&a, at, files); err != nil {
			t.Fatal(err)
		}
		if err := write(&b, at.In(time.FixedZone("elsewhere", 9*3600)), other); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: the bytes differ", name)
		}
	}
}

func TestTarGzIsReadAsItWasWritten(t *testing.T) {
	var out bytes.Buffer
	if err := archive.TarGz(&out, at, files); err != nil {
		t.Fatal(err)
	}
	got, err := archive.ReadTarGz(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestZipKeepsModes(t *testing.T) {
	var out bytes.Buffer
	if err := archive.Zip(&out, at, files); err != nil {
		t.Fatal(err)
	}
	in, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range in.File {
		got[f.Name] = f.Mode().String()
		if !f.Modified.Equal(at) {
			t.Errorf("%s is from %s, want %s", f.Name, f.Modified, at)
		}
	}
	if diff := cmp.Diff(map[string]string{"LICENSE": "-rw-r--r--", "program": "-rwxr-xr-x"}, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}
