package format

// Event is one kind of event in a stream, for its description in OpenAPI.
type Event struct {
	// Name is empty for events without a name.
	Name string
	// Data names the schema of its data, which is JSON; empty if the data is text.
	Data string
	// Text is the data, if it is always the same text.
	Text string
}

// The schemas of data that OpenAPI documents have for the events of this package.
const (
	DataText     = "StreamText"     // of a piece of text
	DataProgress = "StreamProgress" // of the state of a step or tool
	DataEnd      = "StreamEnd"      // of a text's end
	DataUsage    = "StreamUsage"    // of the end of named events
	DataError    = "StreamError"    // of an end that is a failure
)

// namedEnd are the ends of the formats whose events have names.
var namedEnd = []Event{{Name: "done", Data: DataEnd}, {Name: "error", Data: DataError}}

// The kinds of Events that do not depend on the route.
var (
	EventProgress = Event{Name: "progress", Data: DataProgress}
	EventDone     = Event{Name: "done", Data: DataUsage}
	EventError    = Event{Name: "error", Data: DataError}
)
