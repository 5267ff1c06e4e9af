// Package e2e tests the whole system on a real Kubernetes: what the demo claims, and what only a real cluster can
// show beside. Run it with `make e2e`; test/scenario has what it shares with the demo, thresholds included.
//
// The test that needs a quiet cluster comes first, then those that stop the operator, each alone. The others run at once, each in a
// namespace of its own, which stays for a look where its test failed.
package e2e
