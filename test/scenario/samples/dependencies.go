package samples

import (
	"context"
	"fmt"
	"net/http"
)

// dependencies refuses what is not to be answered, before a model is asked, and streams the answer to the rest.
func dependencies(ctx context.Context, p *Place) error {
	notes := object{"notes": scripted(`{"text": "It is so."}`, "Say that it is so.")}
	for _, refused := range []struct {
		target string
		status int
		detail string
	}{
		{"/tickets/0/replies", http.StatusNotFound, "There is no such ticket"},
		{"/tickets/7/replies", http.StatusConflict, "The ticket is closed"},
	} {
		if err := p.wants(ctx, refused.target, notes, refused.status, object{"detail": refused.detail}); err != nil {
			return err
		}
	}
	seen, err := p.events(ctx, "/tickets/8/replies", notes)
	if err != nil {
		return err
	}
	if len(seen) == 0 || seen[0].data != "It " {
		return fmt.Errorf("an open ticket's reply begins with %v", seen)
	}
	return nil
}
