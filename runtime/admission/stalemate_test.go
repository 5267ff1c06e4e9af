package admission

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// slowly is a text that comes in pieces, a millisecond apart.
type slowly struct{ r io.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.r.Read(p[:min(len(p), 4<<10)])
}

// Each of twenty long texts gets a part of the memory, and waits for more of it, for nobody has said how long they are.
func TestSomeOfThoseThatWaitForEachOtherSucceed(t *testing.T) {
	for name, tt := range map[string]struct {
		total, texts, bytes int
		most                time.Duration
		least               int // of them that are read
	}{
		// All in a sixteenth of the size.
		"of 256 MiB":    {57 << 16, 20, 15 << 16, maxWait, 4},
		"of 1 GiB":      {264 << 16, 100, 15 << 16, 2 * maxWait, 30},
		"one at a time": {33 << 16, 20, 15 << 16, maxWait, 1},
		"two that fit":  {64<<16 + 8, 2, 15 << 16, maxWait, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := with(tt.total)
				var wg sync.WaitGroup
				var mu sync.Mutex
				ends := map[relay.FailureKind]int{}
				began := time.Now()
				for i := range tt.texts {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * time.Microsecond)
						h := enter(t, a)
						defer h.Release()
						_, err := relay.ReadAll(t.Context(), h, slowly{strings.NewReader(strings.Repeat("x", tt.bytes))}, -1, 16<<16)
						mu.Lock()
						defer mu.Unlock()
						ends[kind(err)]++
					})
				}
				wg.Wait()
				if took := time.Since(began); took > tt.most {
					t.Errorf("it took %s", took)
				}
				if done := ends[relay.NoFailure]; done < tt.least || done+ends[relay.FailedMemory] != tt.texts {
					t.Errorf("ends %v, want at least %d without a failure, and no other failure than %s", ends, tt.least, relay.FailedMemory)
				}
				if reserved, waiting := a.Bytes.Reserved(), waiting(a); reserved != 0 || waiting != 0 {
					t.Errorf("at the end %d bytes are reserved, %d wait", reserved, waiting)
				}
			})
		})
	}
}

// Whatever requests ask for, and in however many parts: if nobody needs time for anything, nobody waits.
func TestNobodyWaitsForThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for round := range 200 {
			a := with(1 << 20)
			var wg sync.WaitGroup
			for i := range 12 {
				random := rand.New(rand.NewPCG(uint64(round), uint64(i)))
				wg.Go(func() {
					h := enter(t, a)
					defer h.Release()
					branches := 1 + random.IntN(3)
					h.Branch(branches - 1)
					var parts sync.WaitGroup
					for range branches {
						sizes := []int{random.IntN(100 << 10), random.IntN(200 << 10), random.IntN(400 << 10)}
						parts.Go(func() {
							defer h.Branch(-1)
							for _, size := range sizes {
								if h.Reserve(t.Context(), size) != nil {
									return
								}
							}
						})
					}
					parts.Wait()
				})
			}
			began := time.Now()
			wg.Wait()
			if waited := time.Since(began); waited != 0 {
				t.Fatalf("round %d: somebody waited for %s", round, waited)
			}
			if reserved, waiting := a.Bytes.Reserved(), waiting(a); reserved != 0 || waiting != 0 || a.Bytes.first != nil {
				t.Fatalf("round %d: at the end %d bytes are reserved, %d wait, first %v", round, reserved, waiting, a.Bytes.first)
			}
		}
	})
}

// play has requests do as a script says, in memory of 1000 KiB, and gives what came of each reservation and when: moments
// are 100 ms apart. A line is WHO +KIB, WHO -KIB, WHO branches N, or WHO ends.
func play(t *testing.T, script []string) string {
	t.Helper()
	a := with(1000 << 10)
	holds, ends := map[string]*Hold{}, make([]string, len(script))
	began := time.Now()
	var wg sync.WaitGroup
	for i, line := range script {
		words := strings.Fields(line)
		h := holds[words[0]]
		if h == nil {
			h = enter(t, a)
			holds[words[0]] = h
		}
		n, _ := strconv.Atoi(words[len(words)-1])
		switch {
		case words[1] == "ends":
			h.Release()
		case words[1] == "branches":
			h.Branch(n)
		case n < 0:
			h.Return(-n << 10)
		default:
			wg.Go(func() {
				what := "got"
				if err := h.Reserve(t.Context(), n<<10); err != nil {
					what = string(kind(err))
				}
				ends[i] = fmt.Sprintf("%s %s %d", words[0], what, time.Since(began).Milliseconds()/100)
			})
		}
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
	}
	wg.Wait()
	return strings.Join(slices.DeleteFunc(ends, func(s string) bool { return s == "" }), ", ")
}

func TestStalemates(t *testing.T) {
	for name, tt := range map[string]struct{ script, want string }{
		"the younger waits last":  {"a +400; b +300; a +400; b +400; b ends", "a got 0, b got 1, a got 4, b memory 3"},
		"the younger waits first": {"a +400; b +300; b +400; a +400; b ends", "a got 0, b got 1, b memory 3, a got 4"},
		"one waits for itself":    {"a +600; b +100; a +401", "a got 0, b got 1, a budget 2"},
		"one waits for others":    {"a +600; b +100; a +400; b ends", "a got 0, b got 1, a got 3"},
		// First b could have what c gives back, then a what b does.
		"there is an order":      {"a +300; b +400; c +50; a +600; b +300; c ends; b ends", "a got 0, b got 1, c got 2, a got 6, b got 5"},
		"until it is taken away": {"a +300; b +400; c +50; c +150; a +600; b +300; c +101; c ends; b ends", "a got 0, b got 1, c got 2, c got 3, a got 8, b memory 6, c memory 6"},
		"what works counts little": {
			"s +10; a +400; b +300; a +400; b +301; b ends; s ends", "s got 0, a got 1, b got 2, a got 5, b memory 4",
		},
		"nobody passes the oldest": {
			"a +300; b +200; c +200; b +600; a +600; c +10; b ends; c ends", "a got 0, b got 1, c got 2, b memory 4, a got 7, c memory 5",
		},
		"newcomers are in nobody's way": {"a +300; b +300; n +500; a +600; b -300; a ends", "a got 0, b got 1, n got 5, a got 4"},
		"a branch is at work":           {"a +300; a branches 1; a +300; a +500; a -300", "a got 0, a got 2, a got 4"},
		"a branch has ended":            {"a +300; a branches 1; a +300; a +500; a branches -1", "a got 0, a got 2, a budget 4"},
		"both branches wait":            {"a +300; a branches 1; a +300; a +500; a +450; a -300; a -450", "a got 0, a got 2, a got 5, a budget 4"},
		"a branch of another waits": {
			"a +300; b +300; b branches 1; b +300; b +400; a +600; b -300; b ends", "a got 0, b got 1, b got 3, b got 6, a got 7",
		},
		"its request has ended": {"a +500; b +100; b +500; b ends", "a got 0, b got 1, b memory 3"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := play(t, strings.Split(tt.script, "; ")); got != tt.want {
					t.Errorf("%s\n got %s\nwant %s", tt.script, got, tt.want)
				}
			})
		})
	}
}
