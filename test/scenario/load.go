package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llmservice/llmservice/test/scenario/streams"
)

const (
	// pace is the time between two tokens of a stream.
	pace = 200 * time.Millisecond
	// Streams last from minTokens to maxTokens: long enough that a replica which is told to stop has many of them
	// open for longer than it goes on accepting, and unequal, so that they do not all end at once.
	minTokens, maxTokens = 40, 70
	// A short answer takes a tenth of a second.
	briefTokens, briefPace = 5, 20 * time.Millisecond
)

// finishWithin bounds the wait for streams that have begun.
const finishWithin = 2 * maxTokens * pace

// Load is a crowd that streams from the sample's route.
type Load struct {
	*streams.Crowd

	service *Service
}

// Stream lets n clients stream at once, one stream after another each, until Finish.
func (s *Service) Stream(ctx context.Context, n int) (*Load, error) {
	return s.load(ctx, n, func(client, round int) streams.Script {
		tokens := minTokens + (7*client+11*round)%(maxTokens-minTokens+1) // spread, and the same each time
		return streams.Script{Tokens: tokens, Pace: pace}
	})
}

// Ask lets n clients ask for short answers, one after another each, until Finish: requests begin at every moment.
func (s *Service) Ask(ctx context.Context, n int) (*Load, error) {
	return s.load(ctx, n, func(int, int) streams.Script { return streams.Script{Tokens: briefTokens, Pace: briefPace} })
}

func (s *Service) load(ctx context.Context, n int, script func(client, round int) streams.Script) (*Load, error) {
	url, err := s.URL(ctx)
	if err != nil {
		return nil, err
	}
	ask := Ask(url)
	crowd := streams.Gather(ctx, streams.NewClient(), n, func(client, round int) streams.Call { return ask(script(client, round)) })
	return &Load{crowd, s}, nil
}

// AwaitScaledUp waits until the autoscaler has made at least ScaledUp live replicas.
func (l *Load) AwaitScaledUp(ctx context.Context) (time.Duration, error) {
	what := fmt.Sprintf("%d streams make at least %d replicas", Streams, ScaledUp)
	return l.service.AwaitReplicas(ctx, ScaledUpWithin, what, func(n int) bool { return n >= ScaledUp })
}

// Drained is what was seen of replicas that were told to stop.
type Drained struct {
	// Replicas were told to stop, and Streams were open on them then, both at most as many as there were.
	Replicas int
	Streams  int64
	Took     time.Duration
}

// WatchDrain watches the service's pods until done returns nil and no pod is on its way out any more. It fails unless
// streams were open on pods that had been told to stop: without any, a drain that cuts streams would go unnoticed.
func (l *Load) WatchDrain(ctx context.Context, limit time.Duration, done func(context.Context) error) (Drained, error) {
	open := map[string]int64{}
	var seen Drained
	var err error
	seen.Took, err = Await(ctx, limit, "old replicas have drained", func(ctx context.Context) error {
		return errors.Join(done(ctx), l.lookAtDrain(ctx, open))
	})
	for _, n := range open {
		seen.Replicas++
		seen.Streams += n
	}
	if err == nil && seen.Streams == 0 {
		err = fmt.Errorf("no stream was open on the %d replicas that drained: nothing was shown", seen.Replicas)
	}
	return seen, err
}

// lookAtDrain notes the most streams that each draining pod has had open, and fails while there is such a pod.
func (l *Load) lookAtDrain(ctx context.Context, open map[string]int64) error {
	pods, err := l.service.Pods(ctx)
	if err != nil {
		return err
	}
	draining := 0
	for i := range pods {
		if pods[i].DeletionTimestamp == nil {
			continue
		}
		draining++
		status, err := Status(ctx, &pods[i])
		if err != nil {
			continue // it may just have ended
		}
		open[pods[i].Name] = max(open[pods[i].Name], status.Streams.Open)
	}
	if draining > 0 {
		return fmt.Errorf("%d of %d pods drain", draining, len(pods))
	}
	return nil
}

// ChangeImage replaces every pod under load, and waits until the old ones have drained.
func (l *Load) ChangeImage(ctx context.Context, image string) (Drained, error) {
	return l.Roll(ctx, RolledWithin, image, func(ctx context.Context) error { return l.service.ChangeImage(ctx, image) })
}

// Roll makes a change that has every pod replaced by one that runs the image, and waits until the old ones have drained. They are
// watched while the change is made, since it may return when they are gone.
func (l *Load) Roll(ctx context.Context, limit time.Duration, image string, change func(context.Context) error) (Drained, error) {
	ctx, cancel := context.WithCancel(ctx)
	made := make(chan error, 1)
	go func() { made <- change(ctx) }()
	var failed error
	changed := false
	drained, err := l.WatchDrain(ctx, limit, func(ctx context.Context) error {
		select {
		case failed = <-made:
			changed = true
			if failed != nil {
				cancel() // there is nothing to wait for
			}
		default:
		}
		if !changed {
			return errors.New("the change is not made yet")
		}
		return errors.Join(failed, l.service.runs(ctx, image))
	})
	cancel()
	if !changed {
		failed = <-made
	}
	return drained, errors.Join(err, failed)
}

// ScaleDown sends all but RemainingStreams clients home, each after its stream, and waits until the autoscaler is back
// at its least number of replicas and the others have drained.
func (l *Load) ScaleDown(ctx context.Context) (Drained, error) {
	hpa, err := l.service.Autoscaler(ctx)
	if err != nil {
		return Drained{}, err
	}
	least := 1
	if hpa.Spec.MinReplicas != nil {
		least = int(*hpa.Spec.MinReplicas)
	}
	l.Shrink(RemainingStreams)
	return l.WatchDrain(ctx, ScaledDownWithin, func(ctx context.Context) error {
		live, err := l.service.Live(ctx)
		if err == nil && len(live) != least {
			err = fmt.Errorf("%d replicas are live, want %d", len(live), least)
		}
		return err
	})
}

// Finish lets every stream end and returns the clients' count. It failsif more than MaxCut were cut, or any other
// ended otherwise than it should.
func (l *Load) Finish(ctx context.Context) (streams.Tally, error) {
	ctx, cancel := context.WithTimeout(ctx, finishWithin)
	defer cancel()
	tally, err := l.Crowd.Finish(ctx)
	switch {
	case err != nil:
		return tally, err
	case tally.Cut > MaxCut || tally.Lost() > MaxCut:
		return tally, fmt.Errorf("streams were lost: %s", tally)
	case tally.Done == 0:
		return tally, errors.New("no stream was done")
	}
	return tally, nil
}
