package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/expr"
)

// Methods are those that a route may have.
var Methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// Reserved paths belong to the gateway itself, with everything below them.
var Reserved = []string{"/v1", "/docs", "/openapi.json"}

var roles = []string{"system", "user", "assistant"}

func (v *validator) routes(routes []Route) {
	taken := map[string]bool{}
	for i := range routes {
		path, r := fmt.Sprintf("routes[%d]", i), &routes[i]
		if key := r.Method + " " + r.Path; taken[key] {
			v.addf(path+".path", "%s is another route's", key)
		} else {
			taken[key] = true
		}
		v.route(path, r)
	}
}

func (v *validator) route(path string, r *Route) {
	if !strings.HasPrefix(r.Path, "/") {
		v.addf(path+".path", "%q does not begin with /", r.Path)
	}
	for _, reserved := range Reserved {
		if r.Path == reserved || strings.HasPrefix(r.Path, reserved+"/") {
			v.addf(path+".path", "%s belongs to the gateway", reserved)
		}
	}
	if !slices.Contains(Methods, r.Method) {
		v.addf(path+".method", "%q, want one of %s", r.Method, strings.Join(Methods, ", "))
	}
	v.positive(path+".timeout", r.Timeout)
	if r.Request != nil {
		v.checkSchema(path+".request.schema", r.Request.Schema)
	}
	if len(r.Steps) != 1 {
		v.addf(path+".steps", "has %d steps, want one", len(r.Steps))
	}
	var done []string
	for i := range r.Steps {
		step := &r.Steps[i]
		v.step(fmt.Sprintf("%s.steps[%d]", path, i), step, done)
		if step.Name != "" && !slices.Contains(done, step.Name) {
			done = append(done, step.Name)
		}
	}
	v.response(path+".response", r.Response, done)
}

func (v *validator) step(path string, s *Step, done []string) {
	switch {
	case s.Name == "":
		v.addf(path+".name", "is required")
	case slices.Contains(done, s.Name):
		v.addf(path+".name", "%q is the name of another step", s.Name)
	}
	if s.Chat == nil {
		v.addf(path+".chat", "is required")
		return
	}
	v.knownUpstream(path+".chat.upstream", s.Chat.Upstream)
	v.messages(path+".chat.messages", s.Chat.Messages, done)
	v.parameters(path+".chat.parameters", s.Chat.Parameters)
}

// ownMembers of an upstream's request are set by the gateway.
var ownMembers = []string{"model", "messages", "stream"}

func (v *validator) parameters(path string, raw jsontext.Value) {
	if raw == nil {
		return
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		v.addf(path, "want a JSON object without repeated names")
	}
	for _, name := range ownMembers {
		if _, set := members[name]; set {
			v.addf(path+"."+name, "may not be set here, the gateway sets it")
		}
	}
}

func (v *validator) messages(path string, messages []Message, done []string) {
	if len(messages) == 0 {
		v.addf(path, "is empty, want at least one message")
	}
	env, err := expr.NewEnv(TemplateVars(done))
	if err != nil {
		v.addf(path, "%v", err)
		return
	}
	for i, m := range messages {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !slices.Contains(roles, m.Role) {
			v.addf(at+".role", "%q, want one of %s", m.Role, strings.Join(roles, ", "))
		}
		if _, err := env.Compile(m.Content); err != nil {
			v.addf(at+".content", "%v", err)
		}
	}
}

func (v *validator) response(path string, r *Response, done []string) {
	switch {
	case r == nil || (r.Stream == "" && r.Body == nil):
		v.addf(path, "want one of stream and body")
	case r.Stream != "" && r.Body != nil:
		v.addf(path, "has both stream and body, want one of them")
	case r.Stream != "" && !slices.Contains(done, r.Stream):
		v.addf(path+".stream", "there is no step %q", r.Stream)
	case r.Body != nil:
		v.body(path+".body", r.Body, done)
	}
}

func (v *validator) body(path string, body []byte, done []string) {
	env, err := expr.NewEnv(TemplateVars(done))
	if err == nil {
		_, err = env.CompileTree(body)
	}
	if err != nil {
		v.addf(path, "%v", err)
	}
}

// TemplateVars are the variables of a route's templates after some steps.
func TemplateVars(done []string) expr.Vars {
	steps := map[string]expr.Type{}
	for _, name := range done {
		steps[name] = expr.Dyn
	}
	return expr.Vars{
		"request": expr.Object(map[string]expr.Type{
			"method": expr.String, "path": expr.String, "headers": expr.Map(expr.String), "body": expr.Dyn,
		}),
		"steps": expr.Object(steps),
	}
}
