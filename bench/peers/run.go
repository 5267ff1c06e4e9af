package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/llmservice/llmservice/bench/bed"
	"github.com/llmservice/llmservice/bench/peers/load"
	"github.com/llmservice/llmservice/bench/peers/report"
)

// limit bounds a run.
const limit = 15 * time.Minute

// bench is a run.
type bench struct {
	settings settings
	machine  machine
	dir      string
	upstream *load.Upstream
	direct   direct
	progress io.Writer
}

func run(ctx context.Context, s settings, progress io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	b := &bench{settings: s, machine: pin(), progress: progress}
	if b.dir, err = os.MkdirTemp("", "bench-peers-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(b.dir)
	if b.upstream, err = load.NewUpstream(ctx); err != nil {
		return err
	}
	defer b.upstream.Close()
	chosen, err := b.chosen(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	rows, failed := b.measure(ctx, chosen)
	r := &report.Run{
		Date: begun.UTC().Format(time.DateOnly), Machine: b.machine.String(), Load: s.load(time.Since(begun)), Rows: rows,
		Outside: outside, Ours: reference,
	}
	fmt.Fprintln(progress, "\n"+r.Tables())
	if s.out != "" {
		failed = errors.Join(failed, r.Write(s.out))
	}
	return failed
}

// chosen are the peers that -only selects.
func (b *bench) chosen(ctx context.Context) ([]peer, error) {
	only, err := regexp.Compile(b.settings.only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	g := &ours{commit: commit(ctx)}
	var chosen []peer
	needed := false
	for _, p := range peers(b.settings, g) {
		if only.MatchString(p.name) {
			chosen = append(chosen, p)
			needed = needed || p.admin != nil
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only: no peer has a name that matches %q", b.settings.only)
	}
	if needed {
		g.program, err = bed.BuildGateway(ctx, b.dir)
	}
	return chosen, err
}

// commit is that of the tree, with a mark if something is not committed.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// measure has all peers take their turns, round by round. The error is what failed; rows name what is missing.
func (b *bench) measure(ctx context.Context, chosen []peer) (rows []*report.Row, failed error) {
	for i := range chosen {
		rows = append(rows, b.row(ctx, &chosen[i]))
	}
	base := &report.Row{Name: "no server in between", About: "the clients call the model", Aside: true}
	for round := range b.settings.rounds {
		if err := b.measureDirect(ctx, base); err != nil {
			return rows, err
		}
		for i := range chosen {
			p, row := &chosen[i], rows[i]
			if row.Missing != "" || p.slow > 0 && round > 0 {
				continue
			}
			if err := b.turn(ctx, p, row, round); err != nil {
				row.Missing = "failed: " + err.Error()
				failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
			}
			if ctx.Err() != nil {
				return rows, errors.Join(failed, context.Cause(ctx))
			}
		}
	}
	return append(rows, base), failed
}

func (b *bench) row(ctx context.Context, p *peer) *report.Row {
	plain := strings.HasSuffix(p.name, "(http1, own)") || strings.HasSuffix(p.name, "/v1 (nethttp, nethttp)")
	row := &report.Row{Name: p.name, Ours: p.admin != nil, Aside: p.admin != nil && !plain}
	about, err := p.about(ctx)
	if err != nil {
		row.Missing = err.Error()
		fmt.Fprintf(b.progress, "%s: %v\n", p.name, err)
	}
	row.About = about
	if p.slow > 0 {
		row.Notes = fmt.Sprintf("one round; 1/%d of the streams and rates", p.slow)
	}
	return row
}

// start starts a peer on its core, and waits for its first answer.
func (b *bench) start(ctx context.Context, p *peer) (s *bed.Server, t load.Target, took time.Duration, err error) {
	at := place{upstream: b.upstream.Address()}
	if at.dir, err = os.MkdirTemp(b.dir, "peer-"); err != nil {
		return nil, t, 0, fmt.Errorf("make a directory: %w", err)
	}
	if at.address, err = bed.FreeAddress(ctx); err != nil {
		return nil, t, 0, err
	}
	cmd, err := p.command(ctx, at)
	if err != nil {
		return nil, t, 0, err
	}
	logs, err := os.Create(filepath.Join(at.dir, "log"))
	if err != nil {
		return nil, t, 0, fmt.Errorf("make a log: %w", err)
	}
	defer func() { _ = logs.Close() }()
	cmd.Stdout, cmd.Stderr = logs, logs
	b.machine.confine(cmd)
	if s, err = bed.Start(cmd); err != nil {
		return nil, t, 0, err
	}
	t = load.Target{Address: at.address, Typed: p.typed}
	if took, err = s.Await(ctx, time.Millisecond, t.Once); err != nil {
		s.Close()
		text, _ := os.ReadFile(logs.Name())
		return nil, t, 0, fmt.Errorf("%w: the last that it printed: %s", err, text[max(0, len(text)-400):])
	}
	return s, t, took, nil
}

// files lets this process and those that it starts have as many files as they may.
func files() {
	var most syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most); err == nil {
		most.Cur = most.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &most)
	}
}
