package render

import (
	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

func contractRoute(r *v1alpha1.Route) (config.Route, error) {
	budget := valueOf(r.Budget)
	route := config.Route{
		Path:    r.Path,
		Method:  string(r.Method),
		Summary: r.Summary,
		Budget: config.Budget{
			MaxCalls: int(budget.MaxCalls), MaxTokens: int(budget.MaxTokens), MaxBytes: int(budget.MaxBytes),
		},
		Request: contractRequest(r.Request),
	}
	var err error
	if route.Timeout, err = duration("timeout", r.Timeout); err != nil {
		return route, err
	}
	if route.Steps, err = each("steps", r.Steps, contractStep); err != nil {
		return route, err
	}
	route.Response, err = member("response", &r.Response, contractResponse)
	return route, err
}

func contractRequest(r *v1alpha1.Request) *config.Request {
	if r == nil {
		return nil
	}
	request := &config.Request{
		Schema:              jsonValue(r.Schema),
		AssertFormats:       valueOf(r.AssertFormats),
		EchoInput:           valueOf(r.EchoInput),
		AllowAnyContentType: valueOf(r.AllowAnyContentType),
	}
	for i := range r.Parameters {
		p := &r.Parameters[i]
		request.Parameters = append(request.Parameters, config.Parameter{
			Name:        p.Name,
			In:          string(p.In),
			Description: p.Description,
			Required:    valueOf(p.Required),
			Schema:      jsonValue(p.Schema),
		})
	}
	return request
}

func contractResponse(r *v1alpha1.Response) (config.Response, error) {
	response := config.Response{
		Stream: r.Stream,
		Format: string(r.Format),
		Body:   jsonValue(r.Body),
		Schema: jsonValue(r.Schema),
		Commit: string(r.Commit),
	}
	if r.Events != nil {
		response.Events = &config.Events{Steps: r.Events.Steps, Progress: valueOf(r.Events.Progress)}
	}
	var err error
	response.KeepAlive, err = optionalDuration("keepAlive", r.KeepAlive)
	return response, err
}

func contractFunction(f *v1alpha1.Function) (config.Function, error) {
	function := config.Function{
		Name:        f.Name,
		Description: f.Description,
		Input:       jsonValue(f.Input),
		Output:      jsonValue(&f.Output),
	}
	var err error
	if function.Timeout, err = optionalDuration("timeout", f.Timeout); err != nil {
		return function, err
	}
	function.Steps, err = each("steps", f.Steps, contractFunctionStep)
	return function, err
}
