package mockllm

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestMeeting: requests of a meeting are answered once all of them are there, and whoever has left is not counted.
func TestMeeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock, client, stop := startPipe(t)
		defer stop()
		answers := make(chan answer)
		come := func(ctx context.Context, target, body string) {
			go func() {
				got, err := request(ctx, t, client, target, body, "")
				if err != nil {
					got.body = err.Error()
				}
				answers <- got
			}()
			synctest.Wait()
		}
		left, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		come(left, "GET http://mock/meet/2/http/wiki?q=Go", "")
		if got := <-answers; !strings.Contains(got.body, context.DeadlineExceeded.Error()) {
			t.Errorf("alone: %+v", got)
		}
		synctest.Wait()

		for range 2 { // meetings
			come(t.Context(), "GET http://mock/meet/2/http/wiki?q=Go", "")
			select {
			case got := <-answers:
				t.Fatalf("the first was answered before the second came: %+v", got)
			default:
			}
			come(t.Context(), "POST http://mock/meet/2/v1/chat/completions", whole)
			for range 2 {
				if got := <-answers; got.status != http.StatusOK {
					t.Errorf("together: %+v", got)
				}
			}
		}
		if wiki, chat := mock.StatsOf("/http/wiki"), mock.StatsOf("/v1/chat/completions"); wiki.Finished != 2 || chat.Finished != 2 {
			t.Errorf("figures %+v and %+v", wiki, chat)
		}
	})
}

func TestMeetingsThatAreNone(t *testing.T) {
	_, url, client := start(t, Options{})
	for target, want := range map[string]int{
		"/meet/0/http/wiki": 400, "/meet/65/http/wiki": 400, "/meet/x/http/wiki": 400, "/meet/1/nowhere": 404, "/meet/1/http/wiki": 200,
	} {
		if got, err := request(t.Context(), t, client, "GET "+url+target, "", ""); err != nil || got.status != want {
			t.Errorf("%s: %d, %v; want %d", target, got.status, err, want)
		}
	}
}
