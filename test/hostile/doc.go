// Package hostile attacks a gateway: the program that a cluster runs, with the flags and the environment that the
// operator gives it, in a control group of 256 MiB. Each attack is sent beside 200 paced streams, which must not notice
// it. The suite has the build tag hostile, since it wants root, Linux and both cores of a machine: `make hostile`.
package hostile
