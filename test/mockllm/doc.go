// Package mockllm is an upstream that speaks OpenAI's chat completions and
// embeddings APIs, with a small JSON service beside them, and does what a script
// tells it: what it says, how fast, which tools it asks for, and how it fails.
// Tests, the demo and the benchmarks share it. README.md documents the script.
//
// It waits by timers and contexts alone, so it runs inside a testing/synctest
// bubble, where time is the bubble's.
package mockllm
