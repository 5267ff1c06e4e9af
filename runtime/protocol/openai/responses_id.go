package openai

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// previousResponse is the member that names the response to continue.
const previousResponse = "previous_response_id"

// A response is kept only by the server that gave it. So clients get an id that names this server: the prefix of all ids of
// responses, and in base64url (RFC 4648, section 5) a version, the place, and the server's own id. A gateway that has just
// started reads it like the one that wrote it.
const (
	idPrefix  = "resp_"
	idVersion = 1
	// maxOwnID bounds an upstream's id, in bytes; OpenAI's have less than 64. A longer one stays as it is.
	maxOwnID = 256
)

// keptID is the id, quoted, by which clients know a response that is kept at a place, made of the upstream's quoted one. It is
// nil if that has to stay: without a place, or if it is not an id.
func keptID(at llm.Place, quoted []byte) []byte {
	if at == (llm.Place{}) {
		return nil
	}
	own, err := rawjson.Text(quoted)
	if err != nil || own == "" || len(own) > maxOwnID {
		return nil
	}
	known := append(append([]byte{idVersion}, at[:]...), own...)
	return rawjson.Quote(idPrefix + base64.RawURLEncoding.EncodeToString(known))
}

// readKeptID reads an id that keptID has written. The place of any other id is zero.
func readKeptID(id string) (at llm.Place, own string) {
	rest, prefixed := strings.CutPrefix(id, idPrefix)
	known, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if begin := 1 + len(at); prefixed && err == nil && len(known) > begin && known[0] == idVersion && utf8.Valid(known[begin:]) {
		return llm.Place(known[1:begin]), string(known[begin:])
	}
	return at, ""
}

// At implements llm.Keeper.
func (Responses) At(place llm.Place) llm.Endpoint { return Responses{at: place} }

// Continues implements llm.Continuing.
func (r *responseRequest) Continues() (at llm.Place, continues bool) { return r.at, r.id != "" }

// Lost implements llm.Continuing with the answer of OpenAI's API for a response that it does not have.
func (r *responseRequest) Lost() *problem.Error { return problem.NoPrevious(previousResponse, r.id) }

// WithModel implements llm.ClientRequest. The upstream gets its own id of the response to continue.
func (r *responseRequest) WithModel(name string) pieces.Text {
	model := rawjson.Edit{At: r.model, By: rawjson.Quote(name)}
	previous := rawjson.Edit{At: r.previous, By: rawjson.Quote(r.own)}
	switch {
	case r.own == "":
		return rawjson.Pieces(r.body, model)
	case r.previous.Start < r.model.Start:
		return rawjson.Pieces(r.body, previous, model)
	}
	return rawjson.Pieces(r.body, model, previous)
}

// WithUsage implements llm.ClientRequest: streams of responses always have the usage.
func (r *responseRequest) WithUsage(name string) (pieces.Text, bool) { return r.WithModel(name), false }
