// Package manifests compares the two faces of the installation, kustomize's and Helm's.
package manifests
