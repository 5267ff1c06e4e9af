package openapi

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/schema"
)

// ownAnswer describes what steps answer by themselves.
const ownAnswer = "An answer that the route defines."

// answers describes everything that the route may answer, in the order of the statuses.
func (d *document) answers(r *program.Route, o *operation) error {
	own := ownAnswers(answering(r))
	success, err := d.success(r.Response, o.OperationID)
	if err != nil {
		return err
	}
	success.Headers = headersOf(&r.Route.Response.Head)
	status := strconv.Itoa(r.Response.StatusCode())
	if body, ok := own[status]; ok {
		success.join(body)
	}
	o.Responses.add(status, *success)
	for _, f := range failuresOf(r, o) {
		if body, ok := own[f.status]; ok {
			both := f.response(formOf(f), problem.FastAPI)
			both.join(body)
			o.Responses.add(f.status, both)
			continue
		}
		o.Responses.add(f.status, reference{"#/components/responses/" + f.name})
	}
	for _, status := range slices.Sorted(maps.Keys(own)) {
		if _, ok := o.Responses.find(status); !ok {
			o.Responses.add(status, response{Description: ownAnswer, Content: own[status]})
		}
	}
	slices.SortFunc(o.Responses, func(a, b member[any]) int { return cmp.Compare(a.name, b.name) }) // default is after digits
	return nil
}

// join makes r an answer of the route's own as well.
func (r *response) join(own members[mediaType]) {
	r.Description += " Or: an answer that the route defines."
	for _, m := range own {
		if media, ok := r.Content.find(m.name); ok {
			media.Schema = anyOf{[]any{media.Schema, m.value.Schema}}
		} else {
			r.Content.add(m.name, m.value)
		}
	}
}

// answering are the steps that may answer, or fail: the route's, and those of the functions that it depends on.
func answering(r *program.Route) []config.Step {
	all := slices.Clone(r.Route.Steps)
	for _, d := range r.Dependencies {
		if call, ok := d.Work.(*program.Call); ok {
			all = append(all, call.Function.Function.Steps...)
		}
	}
	return all
}

// ownAnswers has the content of the answers that steps give by themselves, by status. Their contents are left out: the
// literals of a manifest are as private as its prompts.
func ownAnswers(steps []config.Step) map[string]members[mediaType] {
	all := map[string]members[mediaType]{}
	for i := range steps {
		given := []*config.Respond{steps[i].Respond}
		if steps[i].OnError != nil {
			given = append(given, steps[i].OnError.Respond)
		}
		for _, g := range given {
			if g == nil {
				continue
			}
			status := strconv.Itoa(g.Status)
			bodies := all[status]
			if _, ok := bodies.find(mediaOf(&g.Head)); g.Body != nil && !ok {
				bodies.add(mediaOf(&g.Head), mediaType{Schema: bodyOf(&g.Head, anyJSON)})
			}
			all[status] = bodies
		}
	}
	return all
}

// failuresOf are those that a route can have.
func failuresOf(r *program.Route, o *operation) []failure {
	calls := slices.ContainsFunc(answering(r), callsUpstream)
	var all []failure
	switch read := o.RequestBody != nil || len(o.Parameters) > 0; {
	case read && calls:
		all = append(all, invalidOrRejected)
	case read:
		all = append(all, invalid)
	}
	for _, f := range failures {
		if calls || !f.upstream || f.status == "502" && r.Response.Schema != nil {
			all = append(all, f)
		}
	}
	return all
}

// callsUpstream takes the call of a function for that of an upstream: functions are there to make some.
func callsUpstream(s config.Step) bool {
	return s.Action != (config.Action{}) || s.Gather != nil || s.ForEach != nil
}

// success describes the answer that the route works out.
func (d *document) success(a *program.Response, id string) (*response, error) {
	promised, err := d.promise(a.Satisfies, id+"_response")
	if err != nil {
		return nil, err
	}
	switch {
	case a.Events != nil:
		return d.events(a, id+"_events", promised)
	case a.Stream != "":
		return d.stream(a, promised)
	}
	return wholeAnswer(a, promised), nil
}

// wholeAnswer describes an answer that is not a stream.
func wholeAnswer(a *program.Response, promised string) *response {
	answer := &response{Description: "The answer."}
	switch {
	case a.Response.Body == nil && a.Location != nil:
		answer.Description = "The client is sent elsewhere."
	case a.Response.Body == nil:
		answer.Description = "The answer, which has no body."
	case promised != "" && a.IsText():
		answer.Content = content(mediaOf(&a.Response.Head), bodyOf(&a.Response.Head, schemaRef(promised)))
	case promised != "":
		answer.Content = withExample(mediaOf(&a.Response.Head), schemaRef(promised), a.Satisfies)
	default:
		answer.Content = content(mediaOf(&a.Response.Head), bodyOf(&a.Response.Head, anyJSON))
	}
	return answer
}

// mediaOf is the media type of a body, without what a text has by itself.
func mediaOf(h *config.Head) string { return cmp.Or(h.ContentType, jsonType) }

// bodyOf is the schema of a body: a text has the type string, and bytes have none (OpenAPI 3.1.0, section 4.8.14.1).
func bodyOf(h *config.Head, ofJSON any) any {
	switch {
	case !h.IsText():
		return ofJSON
	case h.BodyEncoding != "":
		return anyJSON
	}
	return ofText
}

var ofText = struct {
	Type string `json:"type"`
}{"string"}

// headersOf describes the headers that a manifest names.
func headersOf(h *config.Head) members[any] {
	names := slices.Collect(maps.Keys(h.Headers))
	if len(h.Cookies) > 0 {
		names = append(names, "Set-Cookie")
	}
	if h.Location != nil {
		names = append(names, "Location")
	}
	slices.Sort(names)
	var all members[any]
	for _, name := range names {
		all.add(name, header{ofText})
	}
	return all
}

// promise defines the schema of the answer and returns its name; an empty one if there is none.
func (d *document) promise(satisfies *schema.Schema, name string) (string, error) {
	if satisfies == nil {
		return "", nil
	}
	return name, d.define(name, satisfies, false)
}

// define adds a schema of the config to the components; filled is true if the route fills in its defaults.
func (d *document) define(name string, s *schema.Schema, filled bool) error {
	embedded, _, err := embedSchema(s, schemaPointer(name), filled)
	if err != nil {
		return err
	}
	d.Components.Schemas.add(name, embedded)
	return nil
}
