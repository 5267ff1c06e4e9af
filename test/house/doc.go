// Package house holds the rules of this repository that a linter cannot see: what a program reaches through
// others' imports, how packages are named, how tests wait. `make verify` runs them.
package house
