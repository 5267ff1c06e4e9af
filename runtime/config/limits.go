package config

import "time"

// Bounds on what one request may be made to do. The API has the same ones.
const (
	// MaxRepairAttempts bounds how often a model is asked again for a value that satisfies a schema.
	MaxRepairAttempts = 5
	// MaxTurns bounds how often an agent's model is asked.
	MaxTurns = 32
	// MaxParallel bounds what an agent or a forEach does at once.
	MaxParallel = 32
	// MaxItems bounds the items of a forEach.
	MaxItems = 256
	// MaxFiles bounds the files of a form, and a list of them.
	MaxFiles = 16
	// MaxBranches bounds a gather.
	MaxBranches = 16
	// MaxRacers bounds a gather of which one branch wins: First and Fallback.
	MaxRacers = 8
	// MaxAutomata bounds the patterns of all schemas together, in instructions of their automata, of which each takes some
	// tens of bytes.
	MaxAutomata = 400_000
	// MaxExpressions bounds the nodes of all expressions together, each times the levels of lists, maps and macros that it
	// stands within. This many take about a second to check.
	MaxExpressions = 500_000
	// MaxWeight bounds a share: an upstream's of a model's requests, and an endpoint's of an upstream's calls.
	MaxWeight = 1000
)

// MinKeepAlive is the shortest silence into which a comment is sent: each is a separate write.
const MinKeepAlive = time.Second
