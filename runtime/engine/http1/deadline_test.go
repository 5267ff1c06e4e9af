package http1

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A connection waits for its next request since its last one ended, and only between requests.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := net.Pipe()
		d := newDeadline(server)
		for range 2 {
			began := time.Now()
			if since, waits := d.Waits(); !waits || !since.Equal(began) {
				t.Errorf("since %v, %v; want %v", since, waits, began)
			}
			for _, busy := range []phase{reading, handling} {
				time.Sleep(time.Second)
				if d.enter(busy); d.phase != busy {
					t.Errorf("phase %v, want %v", d.phase, busy)
				}
				if _, waits := d.Waits(); waits {
					t.Errorf("in phase %v it waits", busy)
				}
			}
			time.Sleep(time.Second)
			d.enter(idle)
		}
	})
}

// A read ends at its limit, whatever limits there were before and whatever the connection's own deadline was.
func TestReadsEndAtTheirLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		limits []time.Duration // of reads that follow each other, each from its own beginning
		hurry  time.Duration   // of the last read, while a body arrives; 0 for none
		want   time.Duration   // of the last read
	}{
		"the first":              {limits: []time.Duration{10 * time.Second}, want: 10 * time.Second},
		"a later one is longer":  {limits: []time.Duration{10 * time.Second, time.Minute}, want: time.Minute},
		"a later one is shorter": {limits: []time.Duration{time.Minute, 10 * time.Second}, want: 10 * time.Second},
		"a body in a drain":      {limits: []time.Duration{time.Minute}, hurry: 5 * time.Second, want: 5 * time.Second},
		"a body in a late drain": {limits: []time.Duration{5 * time.Second}, hurry: time.Minute, want: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				defer func() { _ = client.Close() }()
				d := newDeadline(server)
				w := newPlainWay(server, d, time.Minute)
				for range tt.limits[1:] {
					d.set(time.Now().Add(tt.limits[0]))
					go func() { _, _ = client.Write([]byte("x")) }()
					if _, err := w.Read(make([]byte, 1)); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				d.set(began.Add(tt.limits[len(tt.limits)-1]))
				if tt.hurry > 0 {
					d.enter(reading)
					time.AfterFunc(time.Second, func() { d.Hurry(began.Add(tt.hurry)) })
				}
				_, err := w.Read(make([]byte, 1))
				if took := time.Since(began); took != tt.want || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("ended after %s with %v, want %s", took, err, tt.want)
				}
			})
		})
	}
}

// A drain bounds bodies alone: a connection that has a request may be silent.
func TestADrainBoundsBodiesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer func() { _ = client.Close() }()
		d := newDeadline(server)
		d.enter(idle)
		d.set(time.Now().Add(time.Minute))
		d.Hurry(time.Now().Add(time.Second))
		began := time.Now()
		if _, err := newPlainWay(server, d, time.Minute).Read(make([]byte, 1)); err == nil || time.Since(began) != time.Minute {
			t.Errorf("ended after %s with %v", time.Since(began), err)
		}
	})
}
