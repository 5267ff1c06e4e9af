package program

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// Each of these types has what the contract says, and in place of templates and schemas what has been compiled of them.

// Function is a reusable list of steps.
type Function struct {
	*config.Function

	Input  *schema.Schema // nil accepts anything
	Steps  []*Step
	Output *expr.Tree

	// asks is known once the function has been read, which is before those that call it: functions that call each other
	// multiply beyond what could be looked at each time.
	asks bool
}

// Takes is the JSON Schema of what the function takes, as it is sent to models.
func (f *Function) Takes() jsontext.Value {
	if f.Function.Input == nil {
		return jsontext.Value(`{"type":"object"}`)
	}
	return f.Function.Input
}

// Guard is what steps, branches and the items of a forEach have around their work alike.
type Guard struct {
	When    *expr.Template // nil for always
	Timeout time.Duration  // 0 for what is left around
	OnError *OnError       // nil to fail
}

// OnError says what happens after work failed. Without both members its value is missing.
type OnError struct {
	Value   *expr.Tree
	Respond *Respond
}

// Step is one piece of a route's or function's work.
type Step struct {
	Name string
	Guard
	Work Work
}

// Branch is one of a gather's calls.
type Branch struct {
	Name string
	// Required says that the gather fails with the branch.
	Required bool
	Guard
	Work Work
}

// Work is what is to be done: one of the kinds below.
type Work interface {
	// Asks reports whether a model may be asked.
	Asks() bool
}

// Kinds has a method for each kind of work. Code that executes them implements it, so that no kind can be forgotten.
type Kinds[R any] interface {
	Chat(*Chat) R
	Embeddings(*Embeddings) R
	HTTP(*HTTP) R
	Call(*Call) R
	Agent(*Agent) R
	Gather(*Gather) R
	ForEach(*ForEach) R
	Set(*Set) R
	Respond(*Respond) R
}

// OfWork calls the method of the kind.
func OfWork[R any](w Work, k Kinds[R]) R {
	switch w := w.(type) {
	case *Chat:
		return k.Chat(w)
	case *Embeddings:
		return k.Embeddings(w)
	case *HTTP:
		return k.HTTP(w)
	case *Call:
		return k.Call(w)
	case *Agent:
		return k.Agent(w)
	case *Gather:
		return k.Gather(w)
	case *ForEach:
		return k.ForEach(w)
	case *Set:
		return k.Set(w)
	case *Respond:
		return k.Respond(w)
	}
	panic("program: work of no kind") // Compile refuses it
}

// Message is one message, or with History a list of them.
type Message struct {
	Role    string
	Content *expr.Template
	History *expr.Template
}

// Chat asks a model for a completion.
type Chat struct {
	*config.Chat

	Choice     *expr.Template // of the upstream; nil if there is only one
	Messages   []Message
	Parameters *expr.Tree
	Output     *Output // nil for text
}

// Output makes a model's answer a JSON value.
type Output struct {
	*config.Output

	Satisfies *schema.Schema
}

// Embeddings asks a model for vectors.
type Embeddings struct {
	*config.Embeddings

	Choice     *expr.Template // of the upstream; nil if there is only one
	Input      *expr.Template
	Parameters *expr.Tree
}

// HTTP makes one HTTP request.
type HTTP struct {
	*config.HTTPCall

	Choice         *expr.Template // of the upstream; nil if there is only one
	Path           *expr.Template
	Query, Headers *expr.Tree
	Body           *expr.Tree
}

// Call calls a function.
type Call struct {
	Function *Function
	Input    *expr.Tree // nil for an empty object
}

// Agent lets a model call functions until it has an answer.
type Agent struct {
	*config.Agent

	Choice     *expr.Template // of the upstream; nil if there is only one
	Messages   []Message
	Tools      []*Function
	Parameters *expr.Tree
	Output     *Output // nil for text
}

// Gather makes several calls at once.
type Gather struct {
	*config.Gather

	Branches []*Branch
	// Asking is how many branches may ask models at once: they share a budget of tokens.
	Asking int
	// VoteKey is that of the strategy Vote.
	VoteKey *expr.Template
}

// ForEach makes one call for each item of a list.
type ForEach struct {
	*config.ForEach

	Items *expr.Template
	Guard Guard
	Do    Work
}

// Set names a value.
type Set struct{ Value *expr.Tree }

// Respond ends a route with an answer.
type Respond struct {
	Status int
	Body   *expr.Tree // nil for none
	Head   *Head
}

// Head is what an answer has besides its status and its body.
type Head struct {
	*config.Head

	Headers *expr.Tree // nil for none
	// Cookies are the values of the config's, in their order.
	Cookies  []*expr.Template
	Location *Location // nil for none
}

// Location is where a redirect leads, or what an answer is about.
type Location struct {
	*config.Location

	Path  *expr.Template
	Query *expr.Tree // nil for none
}

// Asks implements Work.
func (*Chat) Asks() bool { return true }

// Asks implements Work.
func (*Embeddings) Asks() bool { return true }

// Asks implements Work.
func (*HTTP) Asks() bool { return false }

// Asks implements Work.
func (c *Call) Asks() bool { return c.Function != nil && c.Function.asks }

// Asks implements Work.
func (*Agent) Asks() bool { return true }

// Asks implements Work.
func (g *Gather) Asks() bool { return g.Asking > 0 }

// Asks implements Work.
func (f *ForEach) Asks() bool { return asks(f.Do) }

// Asks implements Work.
func (*Set) Asks() bool { return false }

// Asks implements Work.
func (*Respond) Asks() bool { return false }

// asks is false of work that was refused.
func asks(w Work) bool { return w != nil && w.Asks() }
