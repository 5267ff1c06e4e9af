// Package faults plays what people do with LLMServices against a real API server while something goes wrong between it and
// the operator: processes that end at any write, views that are old, events that are lost, requests that fail. Whatever goes
// wrong, rules hold at every write, and all ends as it would have ended undisturbed, after as many writes.
package faults

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/test/apiserver"
)

// So many runs share the API server: each of them mostly waits. A soak has the machine for itself, a share does not.
const someAtOnce, allAtOnce = "8", "16"

var (
	server *apiserver.Server
	// api reads and writes without a cache, and past all faults.
	api client.Client
)

func TestMain(m *testing.M) {
	flag.Parse()
	atOnce := someAtOnce
	if os.Getenv(Only) != "" {
		atOnce = allAtOnce
	}
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	code, err := withAPIServer(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withAPIServer(run func() int) (code int, err error) {
	if server, err = apiserver.Start(filepath.Join("..", ".."), nil); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if api, err = patientClient(); err != nil {
		return 0, err
	}
	code = run()
	if path := os.Getenv(Report); path != "" {
		err = writeReport(path)
	}
	return code, err
}
