package cgroup

import (
	"testing"
	"testing/fstest"
)

func TestCPUs(t *testing.T) {
	const (
		v2   = "sys/fs/cgroup/"
		self = "proc/self/cgroup"
	)
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing":                           {nil, 0},
		"no quota":                          {map[string]string{v2 + "cpu.max": "max 100000\n"}, 0},
		"a container's own group":           {map[string]string{self: "0::/\n", v2 + "cpu.max": "400000 100000\n"}, 4},
		"rounded up":                        {map[string]string{v2 + "cpu.max": "210000 100000\n"}, 3},
		"less than one":                     {map[string]string{v2 + "cpu.max": "5000 100000\n"}, 1},
		"a period of its own":               {map[string]string{v2 + "cpu.max": "30000 10000\n"}, 3},
		"no file of the root":               {map[string]string{self: "0::/a/b\n", v2 + "a/b/cpu.max": "300000 100000\n"}, 3},
		"the tightest of those above":       {map[string]string{self: "0::/a/b\n", v2 + "a/cpu.max": "200000 100000", v2 + "a/b/cpu.max": "300000 100000\n"}, 2},
		"a parent's alone":                  {map[string]string{self: "0::/a/b\n", v2 + "a/cpu.max": "200000 100000", v2 + "a/b/cpu.max": "max 100000\n"}, 2},
		"another group's does not count":    {map[string]string{self: "0::/a\n", v2 + "b/cpu.max": "200000 100000"}, 0},
		"a group outside of the namespace":  {map[string]string{self: "0::/../../x\n", v2 + "cpu.max": "200000 100000"}, 2},
		"version 1":                         {map[string]string{v2 + "cpu/cpu.cfs_quota_us": "250000\n", v2 + "cpu/cpu.cfs_period_us": "100000\n"}, 3},
		"version 1, mounted by both names":  {map[string]string{v2 + "cpu,cpuacct/cpu.cfs_quota_us": "250000\n", v2 + "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 3},
		"version 1, a path of the host":     {map[string]string{self: "4:cpu,cpuacct:/kubepods/pod1/c1\n1:name=systemd:/x\n", v2 + "cpu/cpu.cfs_quota_us": "150000\n", v2 + "cpu/cpu.cfs_period_us": "100000\n"}, 2},
		"version 1, a group below the root": {map[string]string{self: "4:cpu,cpuacct:/a\n", v2 + "cpu/a/cpu.cfs_quota_us": "150000\n", v2 + "cpu/a/cpu.cfs_period_us": "100000\n"}, 2},
		"version 1 without a quota":         {map[string]string{v2 + "cpu/cpu.cfs_quota_us": "-1\n", v2 + "cpu/cpu.cfs_period_us": "100000\n"}, 0},
		"version 1 without a period":        {map[string]string{v2 + "cpu/cpu.cfs_quota_us": "100000\n"}, 0},
		"files that say nothing":            {map[string]string{self: "x\n", v2 + "cpu.max": "\n"}, 0},
		"a period of zero":                  {map[string]string{v2 + "cpu.max": "100000 0\n"}, 0},
		"numbers that are none":             {map[string]string{v2 + "cpu.max": "x y\n"}, 0},
		"numbers beyond any":                {map[string]string{v2 + "cpu.max": "99999999999999999999 100000\n"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for file, text := range tt.files {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
			got, limited := CPUs(root)
			if got != tt.want || limited != (tt.want > 0) {
				t.Errorf("%d, %v; want %d", got, limited, tt.want)
			}
		})
	}
}
