package gateway

// panicked counts and logs a fault of the gateway itself in a request, or in one of the calls that it made at
// once. What it panicked with may hold anything, so only its type and the stack are logged.
func (g *Gateway) panicked(kind string, stack []byte) {
	g.metrics.Panicked()
	g.logger.Error("panic", "type", kind, "stack", string(stack))
}
