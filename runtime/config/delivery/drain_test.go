package delivery

import (
	"testing"
	"time"
)

func TestGracePeriodCoversTheDrain(t *testing.T) {
	if got, least := GracePeriod(5*time.Minute), DrainDelay+5*time.Minute; got <= least {
		t.Errorf("%s leaves nothing after the delay and the longest stream, %s", got, least)
	}
}
