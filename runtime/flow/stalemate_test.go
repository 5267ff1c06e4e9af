package flow

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
)

// dripping answers with a JSON string of this many bytes and undeclared length, of which a tenth comes every 50 ms. Its end
// comes after some more time.
func dripping(bytes int, end time.Duration) upstreamFunc {
	return func(*asked) canned {
		a := jsonOf(200, `"`)
		for range 10 {
			a.parts = append(a.parts, part{after: 50 * time.Millisecond, text: strings.Repeat("x", bytes/10)})
		}
		a.parts = append(a.parts, part{after: end, text: `"`})
		return a
	}
}

// Twenty requests get long answers; each gets a part of the memory and waits for more. Some answers are read, the rest get an
// error at once that there is no memory, and none that an upstream was slow.
func TestRequestsDoNotWaitForEachOther(t *testing.T) {
	short := config.Timeouts{
		Connect: config.Duration(time.Second), FirstToken: config.Duration(2 * time.Second),
		Idle: config.Duration(2 * time.Second), Total: config.Duration(2 * time.Second),
	}
	collected := func(c *asked) canned {
		pieces := make([]string, 150)
		for i := range pieces {
			pieces[i] = strings.Repeat("x", 4<<10)
		}
		return says(c, time.Millisecond, pieces...)
	}
	for name, tt := range map[string]struct {
		route string
		least int
	}{
		"answers of services":        {answering(`"${size(steps.x.body)}"`, get("x", "")), 2},
		"answers of models":          {answering(`"${size(steps.x.text)}"`, `{"name":"x",`+chatOf("a")+`}`), 2},
		"collected text":             {streaming(`"events":{"steps":["x"]}`, `{"name":"x",`+chatOf("a")+`}`), 1},
		"one after the other":        {answering(`"${size(steps.y.body)}"`, `{"name":"x","http":{"upstream":"web","method":"GET","path":"/kept"}}`, get("y", "")), 1},
		"two at once":                {answering(`1`, `{"name":"g","gather":{"strategy":"All","branches":[`+get("x", "")+`,`+get("y", "")+`]}}`), 1},
		"one of two that must":       {answering(`1`, `{"name":"g","gather":{"strategy":"First","branches":[`+get("x", "")+`,`+get("y", "")+`]}}`), 1},
		"each may be without memory": {answering(`1`, `{"name":"g","gather":{"strategy":"AllSettled","branches":[`+get("x", "")+`,`+get("y", "")+`]}}`), 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				web := func(c *asked) canned {
					if strings.HasSuffix(c.URL, "/kept") {
						return jsonOf(200, `"`+strings.Repeat("x", 50<<10)+`"`)
					}
					return dripping(600<<10, 0)(c)
				}
				w := newWorld(t, settings{memory: little, timeouts: short}, map[string]upstreamFunc{"a": collected, "web": web}, tt.route)
				var wg sync.WaitGroup
				var mu sync.Mutex
				statuses := map[int]int{}
				for i := range 20 {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * time.Microsecond)
						g := w.post(hi)
						mu.Lock()
						defer mu.Unlock()
						if g.status == 200 && strings.Contains(g.body, `"code":"overloaded"`) {
							g.status = 429 // a stream
						}
						statuses[g.status]++
						if g.status == 504 || g.status == 429 && g.header.Get("Retry-After") == "" && g.code() != "overloaded" {
							t.Errorf("%d %.200s", g.status, g.body)
						}
					})
				}
				wg.Wait()
				if statuses[200] < tt.least || statuses[200]+statuses[429] != 20 {
					t.Errorf("statuses %v", statuses)
				}
				w.rest()
			})
		})
	}
}

// A call waits for another call of its own request that will give memory back, and for nothing else that the request holds.
func TestPartsOfARequestWaitForEachOther(t *testing.T) {
	const item = `{"upstream":"web","method":"GET","path":"/${item}"}`
	each := func(items, more string) string {
		return `{"name":"s","forEach":{"items":"${[` + items + `]}","maxItems":8,"maxParallel":2,"do":{` + more + `"http":` + item + `}}}`
	}
	for name, tt := range map[string]struct {
		route  string
		status int
		after  time.Duration
	}{
		"it does":       {answering(`1`, each("1,2", "")), 200, 2 * time.Second},
		"it never will": {answering(`1`, get("x", ""), each("1,2", "")), 502, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				web := func(c *asked) canned {
					if strings.HasSuffix(c.URL, "/2") {
						return dripping(850<<10, 300*time.Millisecond)(c).in(200 * time.Millisecond)
					}
					return dripping(850<<10, 300*time.Millisecond)(c)
				}
				w := newWorld(t, settings{memory: little}, map[string]upstreamFunc{"web": web}, tt.route)
				g := w.post(hi)
				if g.status != tt.status || g.after > tt.after {
					t.Errorf("%d %.200s after %s, want %d", g.status, g.body, g.after, tt.status)
				}
				w.rest()
			})
		})
	}
}

// A call that waits for memory holds no worker: those that hold the memory may need one.
func TestNoWorkerWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		copies := `{"name":"s","set":{"value":["` + strings.Repeat(`${request.body}","`, 8) + `"]}}`
		w := newWorld(t, settings{memory: little}, map[string]upstreamFunc{"web": text(10, time.Second)}, answering(`1`, get("x", ""), copies))
		answer := make(chan got, 1)
		go func() { answer <- w.post(`"` + strings.Repeat("x", 100<<10) + `"`) }()
		time.Sleep(time.Second / 2)
		other := w.hold()
		if err := other.Reserve(t.Context(), w.admission.Bytes.Total()/4*3-int(w.admission.Bytes.Reserved())); err != nil {
			t.Fatal(err)
		}
		for err := error(nil); err == nil; err = other.Reserve(t.Context(), 100<<10) {
		}
		time.Sleep(time.Second)
		release, err := w.admission.Heavy(t.Context(), 1<<20)
		if err != nil || time.Since(w.began) > 2*time.Second {
			t.Errorf("a worker after %s: %v", time.Since(w.began), err)
		} else {
			release()
		}
		other.Release()
		if g := <-answer; g.status != 200 {
			t.Errorf("%d %.200s", g.status, g.body)
		}
		w.rest()
	})
}
