// Package mockllm is an upstream that speaks OpenAI's chat completions API and
// does what a script tells it: how much it says, how fast, and how it fails.
// Tests, the demo and the benchmarks share it. README.md documents the script.
//
// It waits by timers and contexts alone, so it runs inside a testing/synctest
// bubble, where time is the bubble's.
package mockllm
