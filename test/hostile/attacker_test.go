//go:build hostile && linux

package hostile

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// findings is what an attacker saw.
type findings struct {
	// Outcomes counts the answers, by status or by what was wrong.
	Outcomes map[string]int `json:"outcomes"`
	// Wrong are examples of answers that are not clear ones.
	Wrong   []string      `json:"wrong"`
	Slowest time.Duration `json:"slowest"`
}

func (r findings) String() string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(r.Outcomes)) {
		parts = append(parts, fmt.Sprintf("%d× %s", r.Outcomes[outcome], outcome))
	}
	return strings.Join(parts, ", ")
}

// serveAttacker serves the hostile upstream, and makes the attacks that its input orders: a line has the gateway's address
// and the attack's name. It is a process of its own, so
// that its garbage and its bodies are not in the way of what measures.
func serveAttacker(in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(1)
	debug.SetMemoryLimit(1 << 30)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = upstream().Serve(l) }()
	fmt.Fprintln(out, l.Addr())
	orders := bufio.NewScanner(in)
	for orders.Scan() {
		address, name, _ := strings.Cut(orders.Text(), " ")
		a, found := attackNamed(name)
		if !found {
			return fmt.Errorf("there is no attack %q", name)
		}
		encoded, err := json.Marshal(attackOn(address, &a, out))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", encoded)
		debug.FreeOSMemory()
	}
	return orders.Err()
}

// assault is an attack that goes on.
type assault struct {
	*attack

	address  string
	messages [][]byte

	mu     sync.Mutex
	report findings
}

// attackOn makes an attack, and says when it begins: the making of bodies takes time, too.
func attackOn(address string, a *attack, out io.Writer) findings {
	s := &assault{attack: a, address: address, report: findings{Outcomes: map[string]int{}}}
	if a.requests != nil {
		s.messages = a.requests()
	}
	fmt.Fprintln(out, "begin")
	ctx, cancel := context.WithTimeout(context.Background(), span)
	defer cancel()
	var wg sync.WaitGroup
	for n := range a.attackers() {
		wg.Go(func() {
			if a.does != nil {
				a.does(ctx, s)
				return
			}
			s.repeat(ctx, n)
		})
	}
	wg.Wait()
	return s.report
}

// repeat sends requests until ctx ends, or the gateway is gone, and at least one.
func (s *assault) repeat(ctx context.Context, n int) {
	for {
		o := s.ask(ctx, s.messages[n%len(s.messages)])
		s.count(o)
		if n++; ctx.Err() != nil || o.refused {
			return
		}
	}
}

// count notes an answer.
func (s *assault) count(o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Outcomes[o.text]++
	s.report.Slowest = max(s.report.Slowest, o.took)
	if o.wrong && len(s.report.Wrong) < 3 && !slices.Contains(s.report.Wrong, o.text) {
		s.report.Wrong = append(s.report.Wrong, o.text)
	}
}

// order makes the companion attack a gateway, and tells when that has begun.
func (c *companion) order(address, name string, begun func()) (findings, error) {
	if _, err := fmt.Fprintf(c.in, "%s %s\n", address, name); err != nil {
		return findings{}, fmt.Errorf("order an attack: %w", err)
	}
	var r findings
	if _, err := c.line(time.Minute); err != nil {
		return r, fmt.Errorf("the attack does not begin: %w", err)
	}
	begun()
	text, err := c.line(time.Minute)
	if err != nil {
		return r, fmt.Errorf("the attack does not end: %w", err)
	}
	return r, json.Unmarshal([]byte(text), &r)
}
