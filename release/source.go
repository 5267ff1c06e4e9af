package release

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
)

// home is where the source is.
const home = "https://github.com/llmservice/llmservice"

// source is a checkout of one commit with nothing else in it, so that nothing of a developer's tree gets into a release.
type source struct {
	dir, commit string
	// at is the time of the commit, which all files of the release have: SOURCE_DATE_EPOCH of https://reproducible-builds.org.
	at time.Time
	// toolchain is the Go that go.mod pins, as in go1.26.11.
	toolchain string
}

func (r *release) checkOut(ctx context.Context) error {
	dir := filepath.Join(r.scratch, "source")
	commit, err := output(ctx, r.Repository, nil, "git", "rev-parse", "HEAD^{commit}")
	if err != nil {
		return err
	}
	r.source = source{dir: dir, commit: commit}
	plain := []string{"-c", "core.autocrlf=false", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"}
	from, err := filepath.Abs(r.Repository)
	if err != nil {
		return fmt.Errorf("find the repository: %w", err)
	}
	for _, args := range [][]string{
		{"clone", "--quiet", "--no-checkout", "--", from, dir},
		{"-C", dir, "checkout", "--quiet", "--detach", commit},
	} {
		if _, err := output(ctx, r.scratch, nil, "git", append(plain, args...)...); err != nil {
			return err
		}
	}
	return r.source.read(ctx)
}

// read reads what the commit says of itself.
func (s *source) read(ctx context.Context) error {
	seconds, err := output(ctx, s.dir, nil, "git", "show", "--no-patch", "--format=%ct", s.commit)
	if err != nil {
		return err
	}
	epoch, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("time of commit %s: %w", s.commit, err)
	}
	s.at = time.Unix(epoch, 0).UTC()
	text, err := s.file("go.mod")
	if err != nil {
		return err
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return fmt.Errorf("read go.mod: %w", err)
	}
	if mod.Toolchain == nil {
		return fmt.Errorf("go.mod of commit %s pins no toolchain, want a line such as toolchain go1.26.11", s.commit)
	}
	s.toolchain = mod.Toolchain.Name
	return nil
}

func (s *source) file(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return nil, fmt.Errorf("read %s of the commit: %w", name, err)
	}
	return data, nil
}

// output runs a program, with variables in addition to those of this process, and returns what it printed, without blanks at its
// ends.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), env...), &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}
