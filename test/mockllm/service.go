package mockllm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServicePath is where the JSON service stands, beside the model's /v1.
const ServicePath = "/http"

// routeService adds a service of the kind that steps call over plain HTTP.
func (s *Server) routeService() {
	routes := map[string]func(r *http.Request, body []byte) (document, *refusal){
		"GET " + ServicePath + "/search": search,
		"GET " + ServicePath + "/wiki":   wiki,
		ServicePath + "/echo":            echo,
		ServicePath + "/echo/":           echo,
		"GET " + ServicePath + "/slow":   slow,

		"GET " + ServicePath + "/customers/{id}": customer,
		"GET " + ServicePath + "/tickets/{id}":   ticket,
		ServicePath + "/status/{code}":           answerStatus,
	}
	for pattern, answer := range routes {
		s.mux.HandleFunc(pattern, s.scripted(func(r *http.Request, body []byte) (*exchange, *refusal) {
			return planService(r, body, answer)
		}))
	}
}

// planService takes a script from the header alone: what a request searches
// for may be a message with a script that is meant for a model.
func planService(
	r *http.Request, body []byte, answer func(*http.Request, []byte) (document, *refusal),
) (*exchange, *refusal) {
	script, err := chooseScript(Script{}, r.Header, nil, "")
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_script", err.Error()}
	}
	d, wrong := answer(r, body)
	if wrong != nil {
		return nil, wrong
	}
	script = script.withDefaults()
	d.script = script
	d.due += time.Duration(script.FirstTokenDelay)
	return &exchange{script: script, answer: func(ctx context.Context, out *sender) error {
		if d.status >= http.StatusMultipleChoices && d.status < http.StatusBadRequest {
			out.w.Header().Set("Location", ServicePath+"/echo")
		}
		if err := out.document(ctx, d); err != nil {
			return err
		}
		if d.status >= http.StatusBadRequest {
			return errEnd
		}
		return nil
	}}, nil
}

// jsonDocument is a document of a value that always encodes.
func jsonDocument(value any) document {
	body, err := json.Marshal(value)
	if err != nil {
		panic("mockllm: encode an answer: " + err.Error())
	}
	return document{body: body}
}

func query(r *http.Request) string { return withoutScript(r.URL.Query().Get("q")) }

type item struct {
	Title string `json:"title"`
	Text  string `json:"text"`
	URL   string `json:"url"`
}

// search finds as many items as asked for with limit: 3 unless set, 10 at most.
func search(r *http.Request, _ []byte) (document, *refusal) {
	const most, usual = 10, 3
	limit := usual
	if given := r.URL.Query().Get("limit"); given != "" {
		var err error
		if limit, err = strconv.Atoi(given); err != nil || limit < 0 || limit > most {
			return document{}, &refusal{http.StatusBadRequest, "invalid_limit", fmt.Sprintf("limit must be from 0 to %d.", most)}
		}
	}
	found := struct {
		Query string `json:"query"`
		Items []item `json:"items"`
	}{Query: query(r), Items: []item{}}
	for i := range limit {
		n := strconv.Itoa(i + 1)
		found.Items = append(found.Items, item{
			Title: "Document " + n, Text: "Document " + n + " is about " + found.Query + ".", URL: "https://docs.example.com/" + n,
		})
	}
	return jsonDocument(found), nil
}

// wiki knows everything.
func wiki(r *http.Request, _ []byte) (document, *refusal) {
	q := query(r)
	return jsonDocument(map[string]string{"title": q, "summary": "An article about " + q + "."}), nil
}

// number is the id of a path: from 1 on, for the services know nothing else.
func number(r *http.Request, what string) (int, *refusal) {
	n, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || n < 1 {
		return 0, &refusal{http.StatusNotFound, "not_found", "There is no such " + what + "."}
	}
	return n, nil
}

// customer says who is important: those with an even number.
func customer(r *http.Request, _ []byte) (document, *refusal) {
	n, refused := number(r, "customer")
	return jsonDocument(map[string]any{"id": n, "name": fmt.Sprintf("Customer %d", n), "vip": n%2 == 0}), refused
}

// ticket has a member that is for the service alone.
func ticket(r *http.Request, _ []byte) (document, *refusal) {
	n, refused := number(r, "ticket")
	state := []string{"open", "closed"}[max(n, 0)%2]
	return jsonDocument(map[string]any{"id": n, "title": fmt.Sprintf("Ticket %d", n), "state": state, "secret": "internal"}), refused
}

// echo answers with the request itself. A body that is no JSON is a string.
func echo(r *http.Request, body []byte) (document, *refusal) {
	headers := map[string]string{}
	for name := range r.Header {
		headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	var said any
	if len(body) > 0 && json.Unmarshal(body, &said) != nil {
		said = string(body)
	}
	return jsonDocument(map[string]any{
		"method": r.Method, "path": r.URL.EscapedPath(), "query": r.URL.Query(), "headers": headers, "body": said,
	}), nil
}

// slow answers after the delay asked for; 1s unless set.
func slow(r *http.Request, _ []byte) (document, *refusal) {
	delay := time.Second
	if given := r.URL.Query().Get("delay"); given != "" {
		var err error
		if delay, err = time.ParseDuration(given); err != nil || delay < 0 || delay > maxDelay {
			return document{}, &refusal{http.StatusBadRequest, "invalid_delay", fmt.Sprintf("delay must be from 0s to %s.", maxDelay)}
		}
	}
	d := jsonDocument(map[string]string{"delay": delay.String()})
	d.due = delay
	return d, nil
}

// answerStatus answers with the status asked for.
func answerStatus(r *http.Request, _ []byte) (document, *refusal) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		return document{}, &refusal{http.StatusBadRequest, "invalid_status", "The status must be from 200 to 599."}
	}
	d := document{status: code}
	switch {
	case code == http.StatusNoContent || code == http.StatusNotModified:
	case code >= http.StatusBadRequest:
		d.body = jsonDocument(scriptedError(code)).body
	default:
		d.body = jsonDocument(map[string]int{"status": code}).body
	}
	return d, nil
}
