package admission

import (
	"io/fs"
	"math"
	"testing"
)

func TestMemoryThatIsFound(t *testing.T) {
	const meminfo = "MemTotal:        1000000 kB\nMemFree:          100 kB\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing":                   {nil, someMemory},
		"a machine":                 {map[string]string{"/proc/meminfo": meminfo}, 1_000_000 << 10 / 4},
		"a group":                   {map[string]string{"/proc/meminfo": meminfo, "/sys/fs/cgroup/memory.max": "268435400\n"}, 241591860},
		"a group, version 1":        {map[string]string{"/proc/meminfo": meminfo, "/sys/fs/cgroup/memory/memory.limit_in_bytes": "268435400\n"}, 241591860},
		"a group without a limit":   {map[string]string{"/proc/meminfo": meminfo, "/sys/fs/cgroup/memory.max": "max\n"}, 1_000_000 << 10 / 4},
		"the same, version 1":       {map[string]string{"/proc/meminfo": meminfo, "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 1_000_000 << 10 / 4},
		"a group, no machine":       {map[string]string{"/sys/fs/cgroup/memory.max": "268435400"}, 241591860},
		"no limit, no machine":      {map[string]string{"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, someMemory},
		"files that say nothing":    {map[string]string{"/proc/meminfo": "MemTotal: x kB", "/sys/fs/cgroup/memory.max": ""}, someMemory},
		"a machine without a total": {map[string]string{"/proc/meminfo": "MemTotal:\n"}, someMemory},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(file string) ([]byte, error) {
				if text, ok := tt.files[file]; ok {
					return []byte(text), nil
				}
				return nil, fs.ErrNotExist
			}
			if got := least(math.MaxInt64, read); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

// A limit that was set for a container of another size does not go beyond the container.
func TestMemoryThatIsSet(t *testing.T) {
	read := func(file string) ([]byte, error) {
		if file == "/sys/fs/cgroup/memory.max" {
			return []byte("100000000\n"), nil
		}
		return nil, fs.ErrNotExist
	}
	none := func(string) ([]byte, error) { return nil, fs.ErrNotExist }
	for _, tt := range []struct {
		set  int64
		read func(string) ([]byte, error)
		want int64
	}{{200_000_000, read, 90_000_000}, {50_000_000, read, 50_000_000}, {200_000_000, none, 200_000_000}} {
		if got := least(tt.set, tt.read); got != tt.want {
			t.Errorf("of %d bytes: %d, want %d", tt.set, got, tt.want)
		}
	}
}

// Whatever the config wants, what requests take in any case, and what they may reserve, is within the memory.
func TestRequestsInFlightFitIntoMemory(t *testing.T) {
	for _, limit := range []int64{0, 1 << 20, 64 << 20, 115 << 20, 230 << 20, 1 << 30, 64 << 30, 1 << 62} {
		for _, wanted := range []int{0, 1, 10, 500, 5000, 100_000} {
			a := New(2, limit)
			a.SetLimit(wanted)
			flat, reserved := int(a.Limit())*Flat, a.Bytes.Total()
			if a.Limit() < 1 || flat+reserved > budget(limit) || reserved < budget(limit)/4 {
				t.Errorf("of %d bytes, %d wanted: %d requests in flight take %d, %d may be reserved", limit, wanted, a.Limit(), flat, reserved)
			}
			if int64(wanted) < a.Limit() && wanted > 0 {
				t.Errorf("of %d bytes, %d wanted: %d", limit, wanted, a.Limit())
			}
		}
	}
	for _, tt := range []struct{ limit, wanted, want int64 }{
		{230 << 20, 0, 607}, // of 256 MiB
		{230 << 20, 500, 500},
		{230 << 20, 5000, 911},
		{1 << 62, 0, maxDerived},
		{1 << 62, 100_000, 100_000},
	} {
		a := New(2, tt.limit)
		a.SetLimit(int(tt.wanted))
		if a.Limit() != tt.want {
			t.Errorf("of %d bytes, %d wanted: %d, want %d", tt.limit, tt.wanted, a.Limit(), tt.want)
		}
	}
}
