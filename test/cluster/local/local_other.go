//go:build !linux

package local

import (
	"context"
	"log"

	"github.com/llmservice/llmservice/test/cluster/deps"
	"github.com/llmservice/llmservice/test/cluster/node"
)

// Up says that a cluster needs Linux.
func Up(context.Context, node.Layout, *log.Logger) error { return deps.Check() }

// Down says that a cluster needs Linux.
func Down(context.Context, node.Layout, *log.Logger) error { return deps.Check() }

// Exec says that a cluster needs Linux.
func Exec(context.Context, node.Layout, []string, *log.Logger) (int, error) { return 0, deps.Check() }

// StopNode says that a cluster needs Linux.
func StopNode(context.Context, node.Layout, string, *log.Logger) error { return deps.Check() }

// Load says that a cluster needs Linux.
func Load(context.Context, node.Layout, string, *log.Logger) error { return deps.Check() }

// Supervise says that a cluster needs Linux.
func Supervise(node.Layout) error { return deps.Check() }
