package mockllm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
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

// Bounds of a script, so that a typing error does not take the machine.
const (
	maxTokens     = 1_000_000
	maxGiantBytes = 64 << 20
	maxDelay      = time.Hour
)

const (
	defaultTokens     = 16
	defaultGiantBytes = 1 << 20
	defaultFinish     = "stop"
)

// Script says how one request is answered.
type Script struct {
	// Tokens is the length of the default reply, "token-0 token-1 …".
	Tokens int `json:"tokens"`
	// Text is the reply instead; a token is a word with the space after it.
	Text string `json:"text,omitempty"`
	// Echo replies with the last user message, without a script in it.
	Echo bool `json:"echo,omitempty"`
	// FinishReason is the reply's finish_reason; empty is "stop".
	FinishReason string `json:"finishReason,omitempty"`

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

// ScriptHeader is the request header that carries a script.
const ScriptHeader = "X-Mock-Script"

// A script inside a message: it gets through gateways that pass on no header.
const (
	embedOpen  = "[[mock "
	embedClose = "]]"
)

// chooseScript returns what to do with a request: the header's script, else the
// one in the last user message, laid over the server's defaults.
func chooseScript(base Script, header http.Header, prompt string) (Script, error) {
	source := header.Get(ScriptHeader)
	if source == "" {
		var err error
		if source, _, err = cutScript(prompt); err != nil {
			return Script{}, err
		}
	}
	return overlay(base, source)
}

// overlay reads a script's JSON over base; fields that it leaves out stay.
func overlay(base Script, source string) (Script, error) {
	if source == "" {
		return base, nil
	}
	dec := json.NewDecoder(strings.NewReader(source))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&base); err != nil {
		return Script{}, fmt.Errorf("read script: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Script{}, errors.New("read script: more follows the JSON object")
	}
	return base, base.Validate()
}

// cutScript returns the JSON of the first script in text, and the text
// without it. Where there is none, source is empty.
func cutScript(text string) (source, rest string, err error) {
	before, after, found := strings.Cut(text, embedOpen)
	if !found {
		return "", text, nil
	}
	var raw json.RawMessage
	dec := json.NewDecoder(strings.NewReader(after))
	if err := dec.Decode(&raw); err != nil {
		return "", "", fmt.Errorf("read script in message: %w", err)
	}
	tail, closed := strings.CutPrefix(after[dec.InputOffset():], embedClose)
	if !closed {
		return "", "", fmt.Errorf("read script in message: no %q after the JSON object", embedClose)
	}
	return string(bytes.TrimSpace(raw)), strings.TrimSpace(before + tail), nil
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
	return nil
}

// withDefaults fills the fields whose zero value stands for another.
func (s Script) withDefaults() Script {
	if s.FinishReason == "" {
		s.FinishReason = defaultFinish
	}
	if s.GiantBytes == 0 {
		s.GiantBytes = defaultGiantBytes
	}
	return s
}
