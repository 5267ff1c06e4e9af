package program

import (
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/format"
)

func (v *validator) response(path string, r *config.Route, begin, end *place) *Response {
	here, a := path+".response", r.Response
	switch {
	case a == nil || !r.Streams() && a.Body == nil && a.Location == nil && !config.HasNoContent(a.Status):
		v.addf(here, "want one of stream, body, events and location, or the status 204")
		return nil
	case a.Stream != "" && (a.Body != nil || a.Events != nil):
		v.addf(here, "has stream and more, want one of stream, body and events")
	}
	if len(r.Steps) == 0 && r.Streams() && a.Body == nil {
		v.addf(path+".steps", "is empty, want at least one step")
	}
	compiled := &Response{Response: a, Sources: v.source.Sources(r), Values: v.source.Values(r)}
	headed := end
	if r.Streams() {
		headed = begin // its head may be sent before the first step is done
	}
	compiled.Head = v.head(here, &a.Head, headed)
	compiled.Body = v.content(here, a.Body, compiled.Head, end)
	v.headFits(here, r)
	compiled.Satisfies, _ = v.schema(here+".schema", a.Schema)
	if compiled.Body != nil {
		v.satisfies(here+".body", compiled.Body.Known(v.known.constants), compiled.Satisfies, here+".schema")
	}
	v.unknownMembers(here, a)
	v.streamSettings(here, a)
	switch {
	case a.Stream != "":
		v.lastStep(path, here+".stream", a.Stream, r.Steps)
	case a.Events != nil:
		v.events(path, r)
	}
	return compiled
}

var unknownMembers = []string{config.UnknownMembersDrop, config.UnknownMembersKeep}

// unknownMembers checks what has a use for a whole answer with a schema only.
func (v *validator) unknownMembers(path string, a *config.Response) {
	if a.UnknownMembers != "" && (a.Schema == nil || a.Stream != "" || !slices.Contains(unknownMembers, a.UnknownMembers)) {
		v.addf(path+".unknownMembers", "%q, want one of %s, and only with schema and without stream",
			a.UnknownMembers, strings.Join(unknownMembers, ", "))
	}
}

// formats are the names of the formats of streams.
func formats() []string {
	names := []string{config.FormatOpenAI}
	for i := range format.All {
		names = append(names, format.All[i].Name)
	}
	return names
}

var commits = []string{config.CommitImmediately, config.CommitAfterValidation}

// streamSettings checks what has a use for streams only.
func (v *validator) streamSettings(path string, a *config.Response) {
	if a.Format != "" && (a.Stream == "" || !slices.Contains(formats(), a.Format)) {
		v.addf(path+".format", "%q, want one of %s, and only with stream", a.Format, strings.Join(formats(), ", "))
	}
	switch {
	case a.Commit == "":
	case a.Stream == "" || !slices.Contains(commits, a.Commit):
		v.addf(path+".commit", "%q, want one of %s, and only with stream", a.Commit, strings.Join(commits, ", "))
	case a.Commit == config.CommitAfterValidation && a.Schema == nil:
		v.addf(path+".commit", "%s needs a schema, want response.schema", a.Commit)
	case a.Commit == config.CommitAfterValidation && a.KeepAlive != 0:
		v.addf(path+".keepAlive", "would begin the answer before it has been validated, want it left out, or another commit")
	}
	if a.Schema != nil && a.Stream == "" && a.Body == nil {
		v.addf(path+".schema", "has nothing to check, want a body")
	}
	v.keepAlive(path+".keepAlive", a.KeepAlive)
	if a.KeepAlive > 0 && a.Stream == "" && a.Events == nil {
		v.addf(path+".keepAlive", "is for streams, want stream or events")
	}
}

func stepNames(steps []config.Step) []string {
	names := make([]string, len(steps))
	for i := range steps {
		names[i] = steps[i].Name
	}
	return names
}

// lastStep checks the step whose tokens are an answer, or a function's: the last one, with nothing to replace what was sent. The
// field names it.
func (v *validator) lastStep(path, field, name string, steps []config.Step) {
	i := slices.IndexFunc(steps, func(s config.Step) bool { return s.Name == name })
	if i < 0 {
		v.addf(field, "there is no step %q, %s", name, wantOneOf(stepNames(steps)))
		return
	}
	s, here := &steps[i], config.Item(path+".steps", i)
	raced := s.Gather != nil && s.Gather.How().Races() && v.allComplete(s.Gather)
	switch {
	case i != len(steps)-1:
		v.addf(field, "%q is not the last step, and later steps could not change the answer: want the last one", s.Name)
	case !v.source.Completes(&s.Action) && !raced:
		v.addf(field, "%q has no tokens, want a chat, an agent, a call of a function that streams, or a gather of these with the "+
			"strategy First or Fallback", s.Name)
	case s.When != "":
		v.addf(here+".when", "would leave nothing to stream, want no condition on this step")
	case raced && s.Gather.MayBeSkipped():
		v.addf(here+".gather.branches", "may all be skipped, which would leave nothing to stream; want one without when")
	case s.OnError != nil && s.OnError.Respond == nil:
		v.addf(here+".onError", "would leave nothing to stream, want respond")
	}
}
