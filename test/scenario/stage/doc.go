// Package stage prepares what a scenario needs before it can play: a cluster that runs, images of the programs under
// test in it, and a way for a program into the cluster's network.
//
// That network has no way out, so everything that may have to be downloaded is built before a program goes in.
package stage
