package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// typedVars has a body as a schema describes it: what may be missing, at several levels.
func typedVars(t testing.TB) Vars {
	t.Helper()
	const order = `{
		"type": "object",
		"required": ["q", "items"],
		"properties": {
			"q": {"type": "string"},
			"n": {"type": "integer"},
			"score": {"type": "number", "default": 1},
			"note": {"type": "string"},
			"level": {"type": ["number", "null"], "default": null},
			"rank": {"type": ["integer", "null"]},
			"maybe": {"type": ["string", "null"], "default": null},
			"tags": {"type": "array", "items": {"type": "string"}},
			"ratios": {"type": "array", "items": {"type": "number"}, "default": []},
			"address": {"type": "object", "properties": {
				"city": {"type": "string"},
				"zip": {"type": "integer"},
				"geo": {"type": "object", "required": ["lat"], "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}}
			}},
			"items": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {
				"name": {"type": "string"}, "price": {"type": "number"}, "size": {"$ref": "#/properties/address"}
			}}}
		}
	}`
	body := typeOf(t, order)
	reply := Object(map[string]Type{"text": String, "usage": Dyn})
	return Vars{
		"request": Object(map[string]Type{"body": body, "headers": Map(String)}),
		"steps": Object(map[string]Type{
			"answer":  reply,
			"skipped": Optional(reply),
			"context": Object(map[string]Type{
				"docs":   Optional(List(Dyn)),
				"wiki":   Optional(Open(map[string]Type{"title": String, "hits": Optional(List(Open(map[string]Type{"id": Int})))})),
				"errors": Object(map[string]Type{"docs": Optional(Object(map[string]Type{"code": String}))}),
			}),
		}),
	}
}

func typedValues() map[string]any {
	return map[string]any{
		"request": map[string]any{
			"headers": map[string]any{"x-tenant": "a"},
			"body": map[string]any{
				"q": "why", "score": int64(2), "maybe": nil, "level": int64(2), "n": 3.0, "ratios": []any{int64(1), 2.5}, "extra": true,
				"address": map[string]any{"city": "Bern"},
				"items":   []any{map[string]any{"name": "a", "price": int64(2)}, map[string]any{"name": "b", "size": map[string]any{"zip": int64(7)}}},
			},
		},
		"steps": map[string]any{
			"answer": map[string]any{"text": "T", "usage": map[string]any{"total_tokens": int64(5)}},
			"context": map[string]any{
				"wiki":   map[string]any{"title": "W"},
				"errors": map[string]any{"docs": map[string]any{"code": "timeout"}},
			},
		},
	}
}

func TestTypedValues(t *testing.T) {
	tests := map[string]struct {
		in   string
		want any
	}{
		"member":                          {"${request.body.q}", "why"},
		"undeclared member":               {"${request.body.extra}", true},
		"undeclared, asked for":           {"${request.body.?other.orValue('x')}", "x"},
		"missing":                         {"${request.body.note.orValue('none')}", "none"},
		"missing, asked for":              {"${request.body.?note.orValue('none')}", "none"},
		"missing, by index":               {"${request.body['note'].orValue('none')}", "none"},
		"missing, asked for by index":     {"${request.body[?'note'].orValue('none')}", "none"},
		"there":                           {"${request.body.n.orValue(1) + 1}", int64(4)},
		"has":                             {"${has(request.body.note) || has(request.body.n)}", true},
		"has within what is missing":      {"${has(request.body.address.geo.lat)}", false},
		"has, asked for":                  {"${has(request.body.?address.city)}", true},
		"has of a step":                   {"${has(steps.skipped) || has(steps.context.docs)}", false},
		"two levels":                      {"${request.body.address.city.orValue('?')}", "Bern"},
		"two levels, missing":             {"${request.body.address.zip.orValue(0)}", int64(0)},
		"three levels":                    {"${request.body.address.geo.lon.orValue(0.5)}", 0.5},
		"three levels, asked for":         {"${request.body.?address.?geo.?lat.orValue(0.5)}", 0.5},
		"one asked for, one not":          {"${request.body.address.?city.orValue('?') + request.body.?address.city.orValue('?')}", "BernBern"},
		"value of the whole":              {"${request.body.address.value().city.orValue('?')}", "Bern"},
		"object or a map":                 {"${request.body.address.orValue({'city': 'Basel'}).city}", "Bern"},
		"chained or":                      {"${request.body.note.or(request.body.address.city).orValue('?')}", "Bern"},
		"optMap":                          {"${request.body.address.city.optMap(c, c + '!').orValue('?')}", "Bern!"},
		"branch missing":                  {"${steps.context.docs.orValue([])}", []any{}},
		"branch there":                    {"${steps.context.wiki.title.orValue('?')}", "W"},
		"list in a branch":                {"${steps.context.wiki.hits.orValue([]).map(h, h.id)}", []any{}},
		"error of a branch":               {"${steps.context.errors.docs.code.orValue('')}", "timeout"},
		"step skipped":                    {"${steps.skipped.text.orValue('nothing')}", "nothing"},
		"members of items":                {"${request.body.items.map(i, i.name).join(', ')}", "a, b"},
		"missing members of items":        {"${request.body.items.map(i, i.price.orValue(0.0) * 1.5)}", []any{3.0, 0.0}},
		"missing objects of items":        {"${request.body.items.map(i, i.size.zip.orValue(0))}", []any{int64(0), int64(7)}},
		"filter by what may be missing":   {"${request.body.items.filter(i, has(i.size.zip)).map(i, i.name)}", []any{"b"}},
		"item by index":                   {"${request.body.items[1].size.zip.orValue(0)}", int64(7)},
		"size of a list":                  {"${size(request.body.items)}", int64(2)},
		"size of an object":               {"${size(request.body.address.value())}", int64(1)},
		"name in an object":               {"${'city' in request.body.address.value() && 'q' in request.body}", true},
		"names of an object":              {"${request.body.items[0].exists(k, k == 'price')}", true},
		"object is a map":                 {"${request.body.items[0] == {'name': 'a', 'price': 2}}", true},
		"ternary of object and map":       {"${(true ? request.body.items[0] : {'name': 'c'}).name}", "a"},
		"ternary of dyn and string":       {"${request.body.extra ? steps.answer.usage.total_tokens : 'x'}", int64(5)},
		"lists of objects and maps":       {"${(request.body.items + [{'name': 'c'}]).map(i, i.name)}", []any{"a", "b", "c"}},
		"mark, open":                      {`${has(request.body.q) || request.body["\x00q"] == 1}`, true},
		"mark, asked for":                 {`${request.body[?"\x00q"].orValue("none")}`, "none"},
		"member by a name that is found":  {"${request.body[request.body.q == 'why' ? 'extra' : 'q']}", true},
		"int where a number is due":       {"${request.body.score * 0.5}", 1.0},
		"ints in a list of numbers":       {"${request.body.ratios.map(r, r * 2.0)}", []any{2.0, 5.0}},
		"nullable number":                 {"${request.body.level == null ? 0.0 : request.body.level * 1.5}", 3.0},
		"nullable, missing":               {"${request.body.rank.orValue(1)}", int64(1)},
		"compare int and number":          {"${request.body.score > 1}", true},
		"string of a number":              {"${string(request.body.score)}", "2"},
		"null or string":                  {"${request.body.maybe == null ? 'none' : request.body.maybe}", "none"},
		"whole object keeps what it has":  {"x${request.body.items}", `x[{"name":"a","price":2},{"name":"b","size":{"zip":7}}]`},
		"whole object as it is":           {"${steps.context.wiki.value()}", map[string]any{"title": "W"}},
		"header":                          {"${request.headers[?'x-tenant'].orValue('')}", "a"},
		"nested comprehension":            {"${request.body.items.all(i, request.body.items.exists(j, j.name == i.name))}", true},
		"optional element":                {"${request.body.items[?5].name.orValue('?')}", "?"},
		"optional element's missing part": {"${request.body.items[?1].size.zip.orValue(0)}", int64(7)},
		"first element":                   {"${request.body.items.first().price.orValue(0.0)}", 2.0},
	}
	env, err := NewEnv(typedVars(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := env.Compile(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Value(t.Context(), typedValues(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTypesAreChecked(t *testing.T) {
	tests := map[string]struct {
		in      string
		column  int
		message string
	}{
		"optional ends":              {"${request.body.note}", 3, ".orValue(…)"},
		"optional in text":           {"x ${request.body.address.city}", 5, ".orValue(…)"},
		"list of optionals":          {"${[request.body.note]}", 3, ".orValue(…)"},
		"step skipped":               {"${steps.skipped.text}", 3, ".orValue(…)"},
		"optional used":              {"${request.body.note + 'x'}", 21, "a value that may be missing needs .orValue(…) first"},
		"optional iterated":          {"${request.body.tags.map(x, x)}", 15, "a value that may be missing needs .orValue(…) first"},
		"optionals joined":           {"${request.body.items.map(i, i.price).join()}", 42, "a value that may be missing needs .orValue(…) first"},
		"optional compared to null":  {"${request.body.note == null}", 21, "has("},
		"optional compared":          {"${request.body.note == steps.answer.usage}", 21, "a value that may be missing"},
		"optional in a list":         {"${request.body.note in steps.answer.usage}", 21, "a value that may be missing"},
		"optional as JSON":           {"${request.body.note.json()}", 25, "a value that may be missing"},
		"wrong default":              {"${request.body.note.orValue(1)}", 28, "no matching overload"},
		"wrong default, deep":        {"${request.body.address.zip.orValue('a')}", 35, "no matching overload"},
		"member of a step":           {"${steps.answer.txt}", 15, "undefined field 'txt'; answer has text, usage"},
		"member of an optional step": {"${steps.skipped.txt.orValue('')}", 16, "undefined field 'txt'; skipped has text, usage"},
		"member asked for":           {"${steps.answer.?txt.orValue('')}", 15, "undefined field 'txt'; answer has text, usage"},
		"member, has":                {"${has(steps.answer.txt)}", 6, "undefined field 'txt'; answer has text, usage"},
		"member of an error":         {"${steps.context.errors.docs.text.orValue('')}", 28, "undefined field 'text'; docs has code"},
		"number and string":          {"${request.body.score + 'a'}", 22, "no matching overload"},
		"object and number":          {"${request.body + 1}", 16, "applied to '(object, int)'"},
		"int and number":             {"${request.body.score + 1}", 22, "no matching overload"},
		"member of a string":         {"${request.body.q.x}", 17, "does not support field selection"},
		"member of items":            {"${steps.context.wiki.hits.orValue([]).map(h, h.id + 'a')}", 51, "no matching overload"},
		"mark, closed":               {`${steps["\x00answer"]}`, 8, "no matching overload"},
		"unknown variable":           {"${body.q}", 3, "undeclared reference to 'body'; the variables here are request, steps"},
	}
	env, err := NewEnv(typedVars(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := env.Compile(tt.in)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Column != tt.column || !strings.Contains(e.Message, tt.message) {
				t.Errorf("got %v, want column %d and %q", e, tt.column, tt.message)
			}
		})
	}
}

func TestTypesOfTemplates(t *testing.T) {
	env, err := NewEnv(typedVars(t))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		in   string
		want Type
	}{
		"literal":        {"a", String},
		"empty":          {"", String},
		"text":           {"a ${1}", String},
		"string":         {"${request.body.q}", String},
		"int":            {"${request.body.n.orValue(1)}", Int},
		"double":         {"${request.body.score}", Double},
		"bool":           {"${has(request.body.n)}", Bool},
		"null":           {"${null}", Null},
		"nullable":       {"${request.body.maybe}", Nullable(String)},
		"unsigned":       {"${1u}", Dyn},
		"bytes":          {"${b'a'}", String},
		"timestamp":      {"${timestamp('2026-01-02T03:04:05Z')}", String},
		"list":           {"${request.body.items.map(i, i.name)}", List(String)},
		"empty list":     {"${[]}", List(Dyn)},
		"mixed list":     {"${[1, 'a']}", List(Dyn)},
		"map":            {"${{'a': 1}}", Map(Int)},
		"object":         {"${steps.answer}", Object(map[string]Type{"text": String, "usage": Dyn})},
		"list of object": {"${steps.context.wiki.hits.orValue([])}", List(Open(map[string]Type{"id": Int}))},
		"dynamic":        {"${steps.answer.usage}", Dyn},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := env.Compile(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := template.Type(); !got.Equal(tt.want) {
				t.Errorf("got %s, want %s", spell(got), spell(tt.want))
			}
		})
	}
}

func TestCompileExpression(t *testing.T) {
	env, err := NewEnv(typedVars(t))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		in      string
		want    Type
		typ     Type
		message string // of the error when compiling
		fails   string // of the error when evaluating
	}{
		"bool":                    {in: "${has(request.body.n)}", want: Bool, typ: Bool},
		"string for bool":         {in: "${request.body.q}", want: Bool, message: "column 3: returns string, want bool"},
		"dynamic bool":            {in: "${request.body.extra}", want: Bool, typ: Bool},
		"dynamic, no bool":        {in: "${request.body.other}", want: Bool, typ: Bool, fails: "${request.body.other} does not give bool"},
		"literal":                 {in: "true", want: Bool, message: "want exactly one expression"},
		"text":                    {in: "a${true}", want: Bool, message: "want exactly one expression"},
		"two":                     {in: "${true}${true}", want: Bool, message: "want exactly one expression"},
		"list":                    {in: "${request.body.items}", want: List(Dyn), typ: typedVars(t)["request"].object.fields["body"].object.fields["items"]},
		"list of another":         {in: "${request.body.items}", want: List(String), message: "returns list(object), want list(string)"},
		"dynamic list":            {in: "${request.body.others}", want: List(Dyn), typ: List(Dyn)},
		"dynamic, no list":        {in: "${request.body.other}", want: List(Dyn), typ: List(Dyn), fails: "does not give list(dyn)"},
		"int for double":          {in: "${request.body.n.orValue(1)}", want: Double, typ: Int},
		"double for int":          {in: "${request.body.score}", want: Int, message: "returns double, want int"},
		"dynamic int for double":  {in: "${request.body.others[0]}", want: Double, typ: Double},
		"dynamic int":             {in: "${request.body.others[0]}", want: Int, typ: Int},
		"dynamic, no int":         {in: "${request.body.other}", want: Int, typ: Int, fails: "does not give int"},
		"dynamic, no double":      {in: "${request.body.other}", want: Double, typ: Double, fails: "does not give double"},
		"dynamic string":          {in: "${request.body.other}", want: String, typ: String},
		"dynamic, no string":      {in: "${request.body.extra}", want: String, typ: String, fails: "does not give string"},
		"dynamic map":             {in: "${steps.answer.usage}", want: Map(Dyn), typ: Map(Dyn)},
		"dynamic, no map":         {in: "${request.body.extra}", want: Map(Dyn), typ: Map(Dyn), fails: "does not give map(string, dyn)"},
		"dynamic, no object":      {in: "${request.body.extra}", want: Object(nil), typ: Object(nil), fails: "does not give object"},
		"object for a map":        {in: "${steps.answer}", want: Map(Dyn), typ: Object(map[string]Type{"text": String, "usage": Dyn})},
		"null for a nullable":     {in: "${null}", want: Nullable(Int), typ: Null},
		"int for a nullable":      {in: "${1}", want: Nullable(Int), typ: Int},
		"dynamic for a nullable":  {in: "${request.body.extra}", want: Nullable(Int), typ: Nullable(Int), fails: "does not give int or null"},
		"dynamic null":            {in: "${request.body.extra}", want: Null, typ: Null, fails: "does not give null"},
		"anything":                {in: "${request.body.q}", want: Dyn, typ: String},
		"what does not compile":   {in: "${foo}", want: Dyn, message: "undeclared"},
		"what does not run":       {in: "${request.body.nope}", want: Bool, typ: Bool, fails: "does not exist"},
		"maps of unlike members":  {in: "${{'a': 1}}", want: Map(String), message: "returns map(string, int), want map(string, string)"},
		"string for an object":    {in: "${'a'}", want: Object(nil), message: "returns string, want object"},
		"nullable where it isn't": {in: "${request.body.maybe}", want: String, message: "returns string or null, want string"},
	}
	vars := typedValues()
	body := vars["request"].(map[string]any)["body"].(map[string]any)
	body["other"], body["others"] = "text", []any{int64(1)}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := env.CompileExpression(tt.in, tt.want)
			if tt.message != "" {
				if err == nil || !strings.Contains(err.Error(), tt.message) {
					t.Errorf("got %v, want %q", err, tt.message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := template.Type(); !got.Equal(tt.typ) {
				t.Errorf("type %s, want %s", spell(got), spell(tt.typ))
			}
			_, err = template.Value(t.Context(), vars, nil)
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Errorf("got %v, want %q", err, tt.fails)
			}
		})
	}
}

func TestTypes(t *testing.T) {
	for name, pair := range map[string][2]Type{
		"zero is Dyn":             {Type{}, Dyn},
		"optional of optional":    {Optional(Optional(Int)), Optional(Int)},
		"list of optional":        {List(Optional(Int)), List(Int)},
		"map of optional":         {Map(Optional(Int)), Map(Int)},
		"nullable list":           {Nullable(List(Int)), Dyn},
		"nullable nullable":       {Nullable(Nullable(Int)), Nullable(Int)},
		"nullable null":           {Nullable(Null), Null},
		"objects by structure":    {Object(map[string]Type{"a": Int, "b": List(Open(nil))}), Object(map[string]Type{"b": List(Open(nil)), "a": Int})},
		"common":                  {Common(Int, Null, Double), Nullable(Double)},
		"common of unlike":        {Common(Int, String), Dyn},
		"common of none":          {Common(), Dyn},
		"element":                 {List(Int).Element(), Int},
		"element of what is none": {Map(Int).Element(), Dyn},
		"unwrapped":               {Optional(List(Int)).Unwrapped(), List(Int)},
		"unwrapped already":       {List(Int).Unwrapped(), List(Int)},
	} {
		if !pair[0].Equal(pair[1]) {
			t.Errorf("%s: %s is not %s", name, spell(pair[0]), spell(pair[1]))
		}
	}
	for name, pair := range map[string][2]Type{
		"lists":                {List(Int), List(Double)},
		"open and closed":      {Object(nil), Open(nil)},
		"members":              {Object(map[string]Type{"a": Int}), Object(map[string]Type{"a": Optional(Int)})},
		"names":                {Object(map[string]Type{"a": Int}), Object(map[string]Type{"b": Int})},
		"names with signs":     {Object(map[string]Type{`a":int,"b`: Int}), Object(map[string]Type{"a": Int, "b": Int})},
		"nullable":             {Nullable(Int), Int},
		"optional":             {Optional(Int), Int},
		"list and map":         {List(Int), Map(Int)},
		"members of a member":  {Object(map[string]Type{"a": Object(nil)}), Object(map[string]Type{"a": Open(nil)})},
		"a member more":        {Object(map[string]Type{"a": Int}), Object(map[string]Type{"a": Int, "b": Int})},
		"optional and missing": {Optional(Int), Optional(String)},
	} {
		if pair[0].Equal(pair[1]) {
			t.Errorf("%s: %s is %s", name, spell(pair[0]), spell(pair[1]))
		}
	}
}

// TestObjectsAreCopied: an Env does not change with the map that its types were made of.
func TestObjectsAreCopied(t *testing.T) {
	fields := map[string]Type{"a": Int}
	vars := Vars{"x": Object(fields)}
	env, err := NewEnv(vars)
	if err != nil {
		t.Fatal(err)
	}
	delete(fields, "a")
	delete(vars, "x")
	if _, err := env.Compile("${x.a}"); err != nil {
		t.Error(err)
	}
	if _, err := env.Compile("${y}"); err == nil || !strings.Contains(err.Error(), "the variables here are x") {
		t.Errorf("got %v", err)
	}
}

// TestDeepChains: optional within optional, to any depth that fits an object; deeper ones are refused, not misread.
func TestDeepChains(t *testing.T) {
	chain := func(n int) (*Env, string) {
		leaf := String
		for range n {
			leaf = Object(map[string]Type{"a": Optional(leaf)})
		}
		env, err := NewEnv(Vars{"x": leaf})
		if err != nil {
			t.Fatal(err)
		}
		return env, "${x" + strings.Repeat(".a", n) + ".orValue('?')}"
	}
	env, text := chain(maxPasses - 2)
	template, err := env.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := template.Value(t.Context(), map[string]any{"x": map[string]any{}}, nil); err != nil || got != "?" {
		t.Errorf("got %v, %v", got, err)
	}
	env, text = chain(maxPasses + 8)
	if _, err := env.Compile(text); err == nil {
		t.Error("a chain deeper than is checked was accepted")
	}
}

func TestHintsAreBounded(t *testing.T) {
	fields := map[string]Type{}
	for i := range 100 {
		fields["member"+strings.Repeat("x", i)] = Int
	}
	env, err := NewEnv(Vars{"x": Object(fields)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.Compile("${x.y}"); err == nil || !strings.Contains(err.Error(), ", and 68 more") {
		t.Errorf("got %v", err)
	}
}
