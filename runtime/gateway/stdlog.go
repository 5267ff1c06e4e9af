package gateway

import (
	"log"
	"log/slog"
)

// reported takes what the standard library logs on its own. net/http's transport quotes there what an upstream has sent
// on a connection on which nothing was asked for, so the texts are not kept.
type reported struct{ logger *slog.Logger }

// Write implements io.Writer.
func (r reported) Write(text []byte) (int, error) {
	r.logger.Warn("the standard library reported a fault; its text is not logged, because it may quote an upstream")
	return len(text), nil
}

// takeStandardLog keeps the texts of package log's own logger, which is the process's, out of the logs.
func takeStandardLog(logger *slog.Logger) { log.SetOutput(reported{logger}) }
