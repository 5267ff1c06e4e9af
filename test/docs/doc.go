// Package docs holds the documentation to the code: its manifests load, its tables list what there is, and what it
// names exists. Links are test/house's.
package docs
