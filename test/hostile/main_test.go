//go:build hostile && linux

package hostile

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// role tells a copy of the test program what it is to be: nothing for the suite itself.
const role = "LLMSERVICE_HOSTILE_ROLE"

// The copies.
const (
	roleModel    = "model"
	roleAttacker = "attacker"
)

// everything is the field on which all attacks are made, one after the other.
var everything *field

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case roleModel:
		os.Exit(told(serveModel()))
	case roleAttacker:
		os.Exit(told(serveAttacker(os.Stdin, os.Stdout)))
	}
	os.Exit(runAll(m))
}

func runAll(m *testing.M) (code int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer hurrySession()()
	f, err := newField(ctx)
	if err != nil {
		return told(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			code = max(code, told(err))
		}
	}()
	everything = f
	return m.Run()
}

func told(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "hostile:", err)
	return 1
}
