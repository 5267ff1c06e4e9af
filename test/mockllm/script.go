package mockllm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Fault is a way to fail that a status code cannot express.
type Fault string

// The faults of a script. Those that happen within a reply do so after
// AfterTokens tokens.
const (
	FaultNone               Fault = ""
	FaultCloseBeforeHeaders Fault = "CloseBeforeHeaders" // the connection closes unanswered
	FaultHangBeforeHeaders  Fault = "HangBeforeHeaders"  // nothing is sent until the client goes
	FaultSilence            Fault = "Silence"            // nothing more is sent until the client goes
	FaultTruncate           Fault = "Truncate"           // the connection closes between two frames
	FaultTruncateMidFrame   Fault = "TruncateMidFrame"   // the connection closes within a frame
	FaultEndEarly           Fault = "EndEarly"           // the body ends properly, without [DONE]
	FaultGarbage            Fault = "Garbage"            // one frame is not JSON; the rest follows
	FaultErrorEvent         Fault = "ErrorEvent"         // an error object ends the stream, without [DONE]
	FaultGiantFrame         Fault = "GiantFrame"         // one token has GiantBytes bytes; the rest follows
)

var faults = []Fault{
	FaultNone, FaultCloseBeforeHeaders, FaultHangBeforeHeaders, FaultSilence, FaultTruncate,
	FaultTruncateMidFrame, FaultEndEarly, FaultGarbage, FaultErrorEvent, FaultGiantFrame,
}

// roles are what EchoRole may be.
var roles = []string{"", "system", "developer", "user", "assistant", "tool"}

// Bounds of a script, so that a typing error does not take the machine.
const (
	maxTokens     = 1_000_000
	maxGiantBytes = 64 << 20
	maxDelay      = time.Hour
)

const (
	defaultTokens     = 16
	defaultGiantBytes = 1 << 20
)

// Script says how one request is answered.
type Script struct {
	// Tokens is the length of the default reply, "token-0 token-1 …".
	Tokens int `json:"tokens"`
	// Text is the reply instead; a token is a word with the space after it.
	Text string `json:"text,omitempty"`
	// Echo replies with the last user message, without a script in it.
	Echo bool `json:"echo,omitempty"`
	// JSON is the reply instead, compact, in pieces of a few bytes.
	JSON json.RawMessage `json:"json,omitempty"`
	// EchoRole adds to the reply what the messages of that role say, a line
	// each, without a script in them: what a tool found, for instance.
	EchoRole string `json:"echoRole,omitempty"`
	// ToolCalls follow the reply, which then has no text of its own accord,
	// if the request has tools and its tool_choice is not "none". A request
	// that wants no parallel calls gets the first.
	ToolCalls []ToolCall `json:"toolCalls,omitempty"`
	// FinishReason is the reply's finish_reason; empty is "tool_calls",
	// "length" or "stop", as the reply ends.
	FinishReason string `json:"finishReason,omitempty"`

	// NoUsage leaves the usage out, whatever the request asks for.
	NoUsage bool `json:"noUsage,omitempty"`

	// Turns are scripts, each laid over this one: the first for a
	// conversation's first turn, and so on; the last also for all later ones.
	// A turn is known by the messages of the assistant after the script.
	Turns []json.RawMessage `json:"turns,omitempty"`
	// Models are scripts laid over this one, for requests of these models.
	// They come before the turns, and may have some of their own.
	Models map[string]json.RawMessage `json:"models,omitempty"`

	// FirstTokenDelay passes before the first token (streamed: after the
	// headers and the role chunk), or before a whole reply starts to count.
	FirstTokenDelay Duration `json:"firstTokenDelay,omitempty"`
	// TokenDelay passes between two tokens, counted from the first, so that
	// late ones are caught up with.
	TokenDelay Duration `json:"tokenDelay,omitempty"`

	// Status other than 0 and 200 answers with an error object.
	Status int `json:"status,omitempty"`
	// RetryAfter is the Retry-After header of such an answer, as it stands.
	RetryAfter string `json:"retryAfter,omitempty"`

	// Fault is how the reply goes wrong, after AfterTokens tokens.
	Fault       Fault `json:"fault,omitempty"`
	AfterTokens int   `json:"afterTokens,omitempty"`
	// GiantBytes is the size of the token of a GiantFrame; 0 is 1 MiB.
	GiantBytes int `json:"giantBytes,omitempty"`

	// CRLF ends the stream's lines in CRLF instead of LF.
	CRLF bool `json:"crlf,omitempty"`
	// SplitBytes sends frames in pieces of so many bytes, each flushed.
	SplitBytes int `json:"splitBytes,omitempty"`
}

// ToolCall is a call that a reply asks for.
type ToolCall struct {
	Name string `json:"name"`
	// Arguments is JSON, "{}" unless set; a string stands as it is, so that
	// it may be what no function takes.
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

// Duration is a time.Duration, as "250ms" in JSON.
type Duration time.Duration

// MarshalText writes the duration as time.Duration.String does.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Validate says which field has a value that no script may have.
func (s Script) Validate() error {
	bounds := []struct {
		field      string
		value, max int
	}{
		{"tokens", s.Tokens, maxTokens},
		{"afterTokens", s.AfterTokens, maxTokens},
		{"giantBytes", s.GiantBytes, maxGiantBytes},
		{"splitBytes", s.SplitBytes, maxGiantBytes},
		{"firstTokenDelay", int(s.FirstTokenDelay), int(maxDelay)},
		{"tokenDelay", int(s.TokenDelay), int(maxDelay)},
	}
	for _, b := range bounds {
		if b.value < 0 || b.value > b.max {
			return fmt.Errorf("script: %s is %d, must be from 0 to %d", b.field, b.value, b.max)
		}
	}
	if s.Status != 0 && s.Status != http.StatusOK && (s.Status < 400 || s.Status > 599) {
		return fmt.Errorf("script: status is %d, must be 200 or from 400 to 599", s.Status)
	}
	if !slices.Contains(faults, s.Fault) {
		return fmt.Errorf("script: fault is %q, must be one of %q", s.Fault, faults[1:])
	}
	if !slices.Contains(roles, s.EchoRole) {
		return fmt.Errorf("script: echoRole is %q, must be one of %q", s.EchoRole, roles[1:])
	}
	for i, c := range s.ToolCalls {
		if c.Name == "" {
			return fmt.Errorf("script: toolCalls[%d].name is required", i)
		}
	}
	return s.validateNested()
}

// validateNested looks into the scripts within this one.
func (s Script) validateNested() error {
	plain := s.plain()
	for i, source := range s.Turns {
		over, err := overlay(plain, string(source))
		if err != nil {
			return fmt.Errorf("script: turns[%d]: %w", i, err)
		}
		if over.Turns != nil || over.Models != nil {
			return fmt.Errorf("script: turns[%d] must have no turns and no models", i)
		}
	}
	for model, source := range s.Models {
		over, err := overlay(plain, string(source))
		if err != nil {
			return fmt.Errorf("script: models[%q]: %w", model, err)
		}
		if over.Models != nil {
			return fmt.Errorf("script: models[%q] must have no models", model)
		}
	}
	return nil
}

// plain is the script without those within it.
func (s Script) plain() Script {
	s.Turns, s.Models = nil, nil
	return s
}

// withDefaults fills the fields whose zero value stands for another.
func (s Script) withDefaults() Script {
	if s.GiantBytes == 0 {
		s.GiantBytes = defaultGiantBytes
	}
	return s
}
