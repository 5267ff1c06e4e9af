// Package scenario is what the demo and the end-to-end tests do with an LLMService on a real cluster, and the
// thresholds that both hold it to. It runs inside the cluster's network, where the addresses of pods and Services can
// be reached; package stage brings a program there.
//
// Every wait has a deadline, and every error says what was seen instead.
package scenario
