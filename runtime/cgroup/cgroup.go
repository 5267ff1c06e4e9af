// Package cgroup reads what the process's own control group allows: a container's limits may be from elsewhere than its
// manifest, such as a LimitRange or a VerticalPodAutoscaler.
package cgroup

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	membership = "proc/self/cgroup"
	mounted    = "sys/fs/cgroup"
)

// hierarchy is where the CPU quotas of groups are.
type hierarchy struct {
	// controller is the name by which /proc/self/cgroup lists it; empty for version 2.
	controller string
	// dirs are where it may be mounted, below mounted.
	dirs  []string
	quota func(files fs.FS, group string) (cpus int64, limited bool)
}

var hierarchies = []hierarchy{
	{"", []string{""}, quotaV2},
	{"cpu", []string{"cpu", "cpu,cpuacct", "cpuacct,cpu"}, quotaV1},
}

// CPUs is how many CPUs the process may keep busy, rounded up; false if no quota is set. Root is the machine's file
// system. A group is bound by those above it too, as far as they can be seen; within a container, the topmost that can
// be seen is usually the container's own.
func CPUs(root fs.FS) (int64, bool) {
	var least int64
	for _, h := range hierarchies {
		of := group(root, h.controller)
		for _, dir := range h.dirs {
			for _, at := range upward(of) {
				if cpus, limited := h.quota(root, path.Join(mounted, dir, at)); limited && (least == 0 || cpus < least) {
					least = cpus
				}
			}
		}
	}
	return least, least > 0
}

// group is the process's group within a hierarchy; empty for the root, and if nothing is said of it. A line is
// ID:CONTROLLERS:PATH (cgroups(7)).
func group(root fs.FS, controller string) string {
	text, _ := fs.ReadFile(root, membership)
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), controller) {
			return strings.TrimPrefix(path.Clean("/"+fields[2]), "/")
		}
	}
	return ""
}

// upward lists a group and all above it.
func upward(group string) []string {
	groups := []string{group}
	for group != "" && group != "." {
		group = path.Dir(group)
		groups = append(groups, strings.TrimPrefix(group, "."))
	}
	return groups
}

// quotaV2 reads cpu.max: the quota, or max, and its period, both in microseconds.
func quotaV2(root fs.FS, group string) (int64, bool) {
	text, err := fs.ReadFile(root, path.Join(group, "cpu.max"))
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(text)
	if len(fields) != 2 {
		return 0, false
	}
	return ratio(fields[0], fields[1])
}

// quotaV1 reads the same of version 1, where a quota of -1 stands for none.
func quotaV1(root fs.FS, group string) (int64, bool) {
	quota, err := fs.ReadFile(root, path.Join(group, "cpu.cfs_quota_us"))
	if err != nil {
		return 0, false
	}
	period, err := fs.ReadFile(root, path.Join(group, "cpu.cfs_period_us"))
	if err != nil {
		return 0, false
	}
	return ratio(quota, period)
}

// ratio is quota by period, rounded up.
func ratio(quota, period []byte) (int64, bool) {
	q, errQ := strconv.ParseInt(string(bytes.TrimSpace(quota)), 10, 64)
	p, errP := strconv.ParseInt(string(bytes.TrimSpace(period)), 10, 64)
	if errQ != nil || errP != nil || q <= 0 || p <= 0 {
		return 0, false
	}
	cpus := q / p
	if q%p > 0 {
		cpus++
	}
	return cpus, true
}
