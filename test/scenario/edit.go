package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Edited is what was seen of an edit.
type Edited struct {
	// Took is the time from the edit until every replica served it.
	Took     time.Duration
	Replicas int
	// Prompt is what a request makes the upstream read after the edit.
	Prompt string
}

// EditUnderWatch edits the prompt, and fails unless every replica serves the edit within AcknowledgedWithin, in the
// same pods and containers as before, and a request gets the edited prompt.
func (s *Service) EditUnderWatch(ctx context.Context, words string) (Edited, error) {
	before, err := s.Revision(ctx)
	if err != nil {
		return Edited{}, err
	}
	lives, err := s.Lives(ctx)
	if err != nil {
		return Edited{}, err
	}
	begun := time.Now()
	if err := s.EditPrompt(ctx, words); err != nil {
		return Edited{}, err
	}
	if _, err = s.AwaitAcknowledged(ctx, before); err != nil {
		return Edited{}, err
	}
	edited := Edited{Took: time.Since(begun), Replicas: len(lives)}
	if err := s.CheckLives(ctx, lives); err != nil {
		return edited, err
	}
	edited.Prompt, err = s.Prompt(ctx)
	if err == nil && !strings.HasPrefix(edited.Prompt, words) {
		err = fmt.Errorf("the upstream does not read the edited prompt")
	}
	return edited, err
}
