package scenario

import "time"

// What an LLMService has to reach on two cores. The demo and the end-to-end tests know no other numbers.
const (
	// Streams is how many clients stream at once.
	Streams = 200
	// RemainingStreams is how many still do while the service scales down.
	RemainingStreams = 20
	// ScaledUp is the number of replicas, at least, that the autoscaler makes of one under Streams.
	ScaledUp = 3
	// MaxCut is how many streams may be cut by scaling, by a change of the config and by a change of the image.
	MaxCut = 0
	// AcknowledgedWithin is the time from an edit until every replica serves it.
	AcknowledgedWithin = 10 * time.Second
	// Edits in EditsWithin, as of somebody who saves all the time, cost at most MaxConfigWrites, and the last is served by every
	// replica LiveWithin after it, where nothing else goes on.
	Edits           = 50
	EditsWithin     = 10 * time.Second
	MaxConfigWrites = 10
	LiveWithin      = 3 * time.Second

	// MaxGatewayBytes and MaxManagerBytes bound the images, which hold one program each.
	MaxGatewayBytes = 40_000_000
	MaxManagerBytes = 90_000_000

	// InstalledWithin, ReadyWithin, ScaledUpWithin, RolledWithin and ScaledDownWithin bound the waits.
	InstalledWithin  = 90 * time.Second
	ReadyWithin      = 60 * time.Second
	ScaledUpWithin   = 90 * time.Second
	RolledWithin     = 90 * time.Second
	ScaledDownWithin = 120 * time.Second
	// UpgradedWithin bounds an upgrade that replaces the managers, and the gateways after them.
	UpgradedWithin = InstalledWithin + RolledWithin
	// TakenOverWithin bounds an installation that waits out the silence of another one before it.
	TakenOverWithin = 2 * InstalledWithin
	// RoutedWithin bounds a node's own way from a ready pod to rules that lead to it.
	RoutedWithin = 10 * time.Second
	// GoneWithin bounds the end of a service's children, and of its namespace.
	GoneWithin = 90 * time.Second
	// RestoredWithin is the time until a child that somebody has changed or deleted is as it was.
	RestoredWithin = 15 * time.Second
	// SettledFor is how long an operator with nothing to do writes nothing.
	SettledFor = 2 * time.Minute

	// DemoWithin bounds the whole demo once its programs are built.
	DemoWithin = 5 * time.Minute
)
