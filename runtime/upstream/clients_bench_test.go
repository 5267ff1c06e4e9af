package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/pieces"
)

// asServer has this test binary be the server of the benchmarks, so that its processor time does not count.
const asServer = "LLMSERVICE_TEST_AS_SERVER"

// BenchmarkClients compares the kinds of clients in one run, in turns: processor time of the process, garbage collection included,
// for a whole answer, and for an event of one of 32 streams whose events are 10 ms apart.
func BenchmarkClients(b *testing.B) {
	url := startServer(b)
	for name, do := range map[string]func(testing.TB, *Client, string, int){"unary": askEach, "event": readEach} {
		b.Run(name, func(b *testing.B) {
			spent := map[Kind]time.Duration{}
			clients := map[Kind]*Client{}
			for _, kind := range []Kind{Own, NetHTTP} {
				clients[kind] = NewClient(addresses.Rules{}, egress.Proxy{}, kind)
				defer clients[kind].Close()
				do(b, clients[kind], url, 1)
			}
			const turn = streams * 100
			b.ResetTimer()
			for left := b.N; left > 0; left -= turn {
				for _, kind := range []Kind{Own, NetHTTP} {
					before := processor(b)
					do(b, clients[kind], url, min(left, turn))
					spent[kind] += processor(b) - before
				}
			}
			for kind, all := range spent {
				b.ReportMetric(float64(all.Nanoseconds())/float64(b.N), string(kind)+"-ns/op")
			}
			b.ReportMetric(float64(spent[Own])/float64(spent[NetHTTP]), "own/nethttp")
		})
	}
}

func askEach(t testing.TB, c *Client, url string, n int) {
	t.Helper()
	call := &Call{
		Method: "POST", URL: url + "/whole", Body: pieces.Text{[]byte(`{"model":"m","messages":[]}`)}, Connect: patience,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "Accept-Encoding": {uncoded}, "User-Agent": {"x"}},
	}
	into := make([]byte, 4096)
	for range n {
		once(t, c, call, into)
	}
}

// streams are read at the same time.
const streams = 32

func readEach(t testing.TB, c *Client, url string, n int) {
	t.Helper()
	var all sync.WaitGroup
	for range streams {
		all.Go(func() { readStream(t, c, url, max(n/streams, 1)) })
	}
	all.Wait()
}

func readStream(t testing.TB, c *Client, url string, n int) {
	t.Helper()
	call := &Call{
		Method: "POST", URL: url + "/" + strconv.Itoa(n), Body: pieces.Text{[]byte("{}")}, Connect: patience,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {eventStream}, "User-Agent": {"x"}},
	}
	once(t, c, call, make([]byte, readBuffer))
}

// processor is what the scheduler has given to this process.
func processor(b *testing.B) (all time.Duration) {
	b.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/schedstat")
	if err != nil || len(threads) == 0 {
		b.Skip("this system does not say how much a thread has run")
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		ran, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		all += time.Duration(n)
	}
	return all
}

func startServer(b *testing.B) (url string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asServer+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return "http://" + strings.TrimSpace(address)
}

// serveForever prints its address, and answers what the benchmarks ask.
func serveForever() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(os.Stdout, l.Addr().String()+"\n")
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go answerEach(c)
	}
}

func answerEach(c net.Conn) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sun, 29 Nov 2026 20:00:00 GMT\r\n"
	whole := []byte(head + "Content-Length: 300\r\n\r\n" + strings.Repeat("x", 300))
	event := []byte("95\r\ndata: " + strings.Repeat("x", 0x95-8) + "\n\n\r\n")
	requests := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			_, _ = c.Write(whole)
			continue
		}
		_, _ = io.WriteString(c, strings.Replace(head, "application/json", eventStream, 1)+"Transfer-Encoding: chunked\r\n\r\n")
		for range n {
			<-time.After(10 * time.Millisecond)
			_, _ = c.Write(event)
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
	}
}
