package api

import (
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/llmservice/llmservice/runtime/config"
)

// Each case sets one field of a service that has every field. An empty want says that the API accepts it.
func TestRules(t *testing.T) {
	tests := []struct {
		path  string
		value any
		want  string
	}{
		{"metadata.name", letters(50), ""},
		{"metadata.name", letters(51), "metadata.name must be a DNS label"},
		{"metadata.name", "1st", "metadata.name must be a DNS label"},
		{"metadata.name", "a.b", "metadata.name must be a DNS label"},
		{"spec", missing, "spec: Required value"},
		{"spec", map[string]any{}, ""},
		{"spec.unknown", true, `unknown field "spec.unknown"`},

		{"spec.upstreams", times(64, upstream), ""},
		{"spec.upstreams", times(65, upstream), "Too many"},
		{"spec.upstreams", []any{}, "at least 1 items"},
		{"spec.upstreams", []any{upstream(1), upstream(1)}, "Duplicate value"},
		{"spec.upstreams[0].name", "Fast", "should match"},
		{"spec.upstreams[0].name", letters(64), "Too long"},
		{"spec.upstreams[0].type", "Anthropic", "Unsupported value"},
		{"spec.upstreams[0].type", missing, "Required value"},
		{"spec.upstreams[0].openAI", missing, "openAI is required when type is OpenAI"},
		{"spec.upstreams[0].http", map[string]any{}, "http is required when type is HTTP, and forbidden otherwise"},
		{"spec.upstreams[1].http", missing, "http is required when type is HTTP"},
		{"spec.upstreams[1].http.path", "/", "unknown field"},
		{"spec.upstreams[1].openAI", map[string]any{"model": "m"}, "openAI is required when type is OpenAI, and forbidden otherwise"},
		{"spec.upstreams[0].openAI.model", "", "at least 1 chars"},
		{"spec.upstreams[0].openAI.model", letters(257), "Too long"},
		{"spec.upstreams[0].openAI.omit", []any{}, "at least 1 items"},
		{"spec.upstreams[0].openAI.omit", []any{"seed", "stream_options"}, ""},
		{"spec.upstreams[0].openAI.omit", []any{"seed", "max_tokens"}, "this member is always sent"},
		{"spec.upstreams[0].openAI.omit", []any{"seed", "seed"}, "Duplicate value"},
		{"spec.upstreams[0].openAI.omit", []any{letters(65)}, "Too long"},
		{"spec.upstreams[0].openAI.tokenLimit", "MaxCompletionTokens", ""},
		{"spec.upstreams[0].openAI.tokenLimit", "max_tokens", "Unsupported value"},
		{"spec.upstreams[0].endpoints", missing, "Required value"},
		{"spec.upstreams[0].endpoints", []any{}, "at least 1 items"},
		{"spec.upstreams[0].endpoints", times(16, endpoint), ""},
		{"spec.upstreams[0].endpoints", times(17, endpoint), "Too many"},
		{"spec.upstreams[0].endpoints[0].url", "ftp://models", "should match"},
		{"spec.upstreams[0].endpoints[0].url", "http://" + letters(2042), "Too long"},
		{"spec.upstreams[0].endpoints[0].resolution", "Host", ""},
		{"spec.upstreams[0].endpoints[0].resolution", "Each", "Unsupported value"},
		{"spec.upstreams[0].endpoints[0].weight", 1, ""},
		{"spec.upstreams[0].endpoints[0].weight", 1000, ""},
		{"spec.upstreams[0].endpoints[0].weight", 0, "greater than or equal to 1"},
		{"spec.upstreams[0].endpoints[0].weight", 1001, "less than or equal to 1000"},
		{"spec.upstreams[0].endpoints[0].maxInFlight", 100000, ""},
		{"spec.upstreams[0].endpoints[0].maxInFlight", 0, "greater than or equal to 1"},
		{"spec.upstreams[0].endpoints[0].maxInFlight", 100001, "less than or equal to 100000"},
		{"spec.upstreams[0].loadBalancing", "RoundRobin", ""},
		{"spec.upstreams[0].loadBalancing", "LeastInFlight", ""},
		{"spec.upstreams[0].loadBalancing", "Random", "Unsupported value"},
		{"spec.upstreams[0].loadBalancing", "ConsistentHash", "consistentHash is required if loadBalancing is ConsistentHash"},
		{"spec.upstreams[0].loadBalancing", missing, ""},
		{"spec.upstreams[1].loadBalancing", missing, "not allowed otherwise"},
		{"spec.upstreams[1].consistentHash", missing, "consistentHash is required if loadBalancing is ConsistentHash"},
		{"spec.upstreams[1].consistentHash.key", missing, "Required value"},
		{"spec.upstreams[1].consistentHash.key", "", "at least 1 chars long"},
		{"spec.upstreams[1].consistentHash.key", letters(4096), ""},
		{"spec.upstreams[1].consistentHash.key", letters(4097), "Too long"},
		{"spec.upstreams[1].consistentHash.loadPercent", 100, ""},
		{"spec.upstreams[1].consistentHash.loadPercent", 1000, ""},
		{"spec.upstreams[1].consistentHash.loadPercent", 99, "greater than or equal to 100"},
		{"spec.upstreams[1].consistentHash.loadPercent", 1001, "less than or equal to 1000"},
		{"spec.upstreams[0].maxInFlight", 100000, ""},
		{"spec.upstreams[0].maxInFlight", 0, "greater than or equal to 1"},
		{"spec.upstreams[0].maxInFlight", 100001, "less than or equal to 100000"},
		{"spec.upstreams[0].queue.depth", 10000, ""},
		{"spec.upstreams[0].queue.depth", 0, "greater than or equal to 1"},
		{"spec.upstreams[0].queue.depth", 10001, "less than or equal to 10000"},
		{"spec.upstreams[0].queue.timeout", "0s", "must be longer than 0s and at most 24h"},
		{"spec.upstreams[0].queue", missing, ""},
		{"spec.upstreams[1].queue", map[string]any{"depth": 1}, "queue has no effect without maxInFlight"},
		{"spec.upstreams[0].slowStart", "1m", ""},
		{"spec.upstreams[0].slowStart", "0s", "must be longer than 0s and at most 24h"},
		{"spec.upstreams[0].ejection", map[string]any{}, ""},
		{"spec.upstreams[0].ejection.consecutiveFailures", 1000, ""},
		{"spec.upstreams[0].ejection.consecutiveFailures", 0, "greater than or equal to 1"},
		{"spec.upstreams[0].ejection.consecutiveFailures", 1001, "less than or equal to 1000"},
		{"spec.upstreams[0].ejection.failureRatio.percent", 100, ""},
		{"spec.upstreams[0].ejection.failureRatio.percent", missing, "Required value"},
		{"spec.upstreams[0].ejection.failureRatio.percent", 101, "less than or equal to 100"},
		{"spec.upstreams[0].ejection.failureRatio.minCalls", 0, "greater than or equal to 1"},
		{"spec.upstreams[0].ejection.failureRatio.minCalls", 100001, "less than or equal to 100000"},
		{"spec.upstreams[0].ejection.failureRatio.window", "1s", ""},
		{"spec.upstreams[0].ejection.backoff", map[string]any{"initial": "30s", "max": "30s"}, ""},
		{"spec.upstreams[0].ejection.backoff", map[string]any{"initial": "31s", "max": "30s"}, "initial must not exceed max"},
		{"spec.upstreams[0].ejection.backoff.max", "0s", "must be longer than 0s and at most 24h"},
		{"spec.upstreams[0].ejection.maxPercent", 0, ""},
		{"spec.upstreams[0].ejection.maxPercent", 101, "less than or equal to 100"},
		{"spec.upstreams[0].ejection.panicPercent", 1, ""},
		{"spec.upstreams[0].ejection.panicPercent", 0, "greater than or equal to 1"},
		{"spec.upstreams[0].ejection.panicPercent", 101, "less than or equal to 100"},
		{"spec.upstreams[0].retries", map[string]any{}, ""},
		{"spec.upstreams[0].retries.retryOn", []any{"Timeout"}, ""},
		{"spec.upstreams[0].retries.retryOn", []any{}, "should have at least 1 items"},
		{"spec.upstreams[0].retries.retryOn[0]", "Always", "Unsupported value"},
		{"spec.upstreams[0].retries.attempts", 10, ""},
		{"spec.upstreams[0].retries.attempts", 11, "less than or equal to 10"},
		{"spec.upstreams[0].retries.budgetPercent", 0, "greater than or equal to 1"},
		{"spec.upstreams[0].retries.budgetPercent", 101, "less than or equal to 100"},
		{"spec.upstreams[0].auth", missing, ""},
		{"spec.upstreams[0].auth.type", "Digest", "Unsupported value"},
		{"spec.upstreams[0].auth.type", "Basic", "basic is required when type is Basic"},
		{"spec.upstreams[0].auth.header", namedKey("api-key"), "header is required when type is Header, and forbidden otherwise"},
		{"spec.upstreams[0].auth.query", namedKey("key"), "query is required when type is Query, and forbidden otherwise"},
		{"spec.upstreams[0].auth.basic", map[string]any{"secretRef": map[string]any{"name": "a"}}, "basic is required when type is Basic, and forbidden otherwise"},
		{"spec.upstreams[1].auth.basic", missing, "basic is required when type is Basic"},
		{"spec.upstreams[1].auth.basic.secretRef", missing, "Required value"},
		{"spec.upstreams[1].auth.basic.secretRef.name", "A_b", "should match"},
		{"spec.upstreams[1].headers", []any{}, "at least 1 items"},
		{"spec.upstreams[1].headers", times(16, named), ""},
		{"spec.upstreams[1].headers", times(17, named), "Too many"},
		{"spec.upstreams[1].headers", []any{named(1), named(1)}, "Duplicate value"},
		{"spec.upstreams[1].headers[0].name", "X Tenant", "should match"},
		{"spec.upstreams[1].headers[0].name", "x_1.`~^|", ""},
		{"spec.upstreams[1].headers[0].name", letters(129), "Too long"},
		{"spec.upstreams[1].headers[0].value", missing, "exactly one of value and secretKeyRef is required"},
		{"spec.upstreams[1].headers[0].value", letters(1025), "Too long"},
		{"spec.upstreams[1].headers[1].value", "a", "exactly one of value and secretKeyRef is required"},
		{"spec.upstreams[1].headers[1].secretKeyRef.key", "a/b", "should match"},
		{"spec.upstreams[1].query", []any{}, "at least 1 items"},
		{"spec.upstreams[1].query", times(16, named), ""},
		{"spec.upstreams[1].query", times(17, named), "Too many"},
		{"spec.upstreams[1].query", []any{named(1), named(1)}, "Duplicate value"},
		{"spec.upstreams[1].query[0].name", "$filter[a]", ""},
		{"spec.upstreams[1].query[0].name", letters(129), "Too long"},
		{"spec.upstreams[1].query[0].value", missing, "exactly one of value and secretKeyRef is required"},
		{"spec.upstreams[1].query[1].value", "a", "exactly one of value and secretKeyRef is required"},
		{"spec.upstreams[2].auth.header", missing, "header is required when type is Header"},
		{"spec.upstreams[2].auth.header.name", missing, "Required value"},
		{"spec.upstreams[2].auth.header.name", "api key", "should match"},
		{"spec.upstreams[2].auth.header.secretKeyRef", missing, "Required value"},
		{"spec.upstreams[2].tls", missing, ""},
		{"spec.upstreams[2].tls", map[string]any{}, "at least 1 properties"},
		{"spec.upstreams[2].tls.ca", map[string]any{}, "Required value"},
		{"spec.upstreams[2].tls.clientCertificate.secretRef", missing, "Required value"},
		{"spec.upstreams[2].tls.clientCertificate.secretRef.name", "a/b", "should match"},
		{"spec.upstreams[2].tls.serverName", "*.internal", "should match"},
		{"spec.upstreams[2].tls.serverName", letters(254), "Too long"},
		{"spec.upstreams[2].tls.minVersion", "1.2", "Unsupported value"},
		{"spec.upstreams[2].tls.minVersion", "VersionTLS12", ""},
		{"spec.upstreams[2].maxConnectionAge", "0s", "must be longer than 0s and at most 24h"},
		{"spec.upstreams[2].maxConnectionAge", "24h", ""},
		{"spec.upstreams[3].auth.query", missing, "query is required when type is Query"},
		{"spec.upstreams[3].auth.query.name", "", "at least 1 chars"},
		{"spec.upstreams[3].auth.query.secretKeyRef", missing, "Required value"},
		{"spec.upstreams[0].auth.bearer", missing, "bearer is required when type is Bearer"},
		{"spec.upstreams[0].auth.bearer.secretKeyRef", missing, "Required value"},
		{"spec.upstreams[0].auth.bearer.secretKeyRef.name", "../etc", "should match"},
		{"spec.upstreams[0].auth.bearer.secretKeyRef.name", letters(254), "Too long"},
		{"spec.upstreams[0].auth.bearer.secretKeyRef.key", "..", "should match"},
		{"spec.upstreams[0].auth.bearer.secretKeyRef.key", "a/b", "should match"},
		{"spec.upstreams[0].auth.bearer.secretKeyRef.key", ".hidden", ""},
		{"spec.upstreams[0].auth.bearer.secretKeyRef.key", letters(254), "Too long"},
		{"spec.upstreams[0].prices", map[string]any{}, "at least 1 properties"},
		{"spec.upstreams[0].prices", missing, ""},
		{"spec.upstreams[0].prices.input", "1e9", "should match"},
		{"spec.upstreams[0].prices.input", "12.345678901234567890", "Too long"},
		{"spec.upstreams[1].prices", map[string]any{"input": "1"}, "forbidden when type is HTTP"},
		{"spec.upstreams[0].timeouts.header", "0s", "must be longer than 0s and at most 24h"},
		{"spec.upstreams[0].timeouts.header", missing, ""},
		{"spec.upstreams[0].timeouts.connect", "0s", "must be longer than 0s and at most 24h"},
		{"spec.upstreams[0].timeouts.connect", "1ms", ""},
		{"spec.upstreams[0].timeouts.firstToken", "24h", ""},
		{"spec.upstreams[0].timeouts.firstToken", "24h1ms", "must be longer than 0s and at most 24h"},
		{"spec.upstreams[0].timeouts.idle", "1d", "should match"},
		{"spec.upstreams[0].timeouts.total", "1.5s", "should match"},
		{"spec.upstreams[0].timeouts.total", 30, "must be of type string"},

		{"spec.models", times(64, model), ""},
		{"spec.models", times(65, model), "Too many"},
		{"spec.models", []any{}, "at least 1 items"},
		{"spec.models", []any{model(1), model(1)}, "Duplicate value"},
		{"spec.models[0].name", "meta-llama/Llama-3.1:8b@q4+x_y", ""},
		{"spec.models[0].name", "-x", "should match"},
		{"spec.models[0].name", letters(129), "Too long"},
		{"spec.models[0].upstreams", []any{}, "at least 1 items"},
		{"spec.models[0].upstreams", times(8, name), ""},
		{"spec.models[0].upstreams", times(9, name), "Too many"},
		{"spec.models[0].upstreams", []any{letters(64)}, "Too long"},
		{"spec.models[0].upstreams", []any{""}, "at least 1 chars"},
		{"spec.models[0].upstreams", missing, "exactly one of the fields in [upstreams route] must be set"},
		{"spec.models[0].route", map[string]any{"path": "/a", "body": "${conversation.lastMessage}"}, "exactly one of the fields in [upstreams route] must be set"},
		{"spec.models[0]", map[string]any{"name": "m", "route": map[string]any{"path": "/a", "body": "${conversation.lastMessage}"}}, ""},
		{"spec.models[0]", map[string]any{"name": "m", "route": map[string]any{"path": "/a"}}, "Required value"},
		{"spec.models[0]", map[string]any{"name": "m", "route": map[string]any{"path": "", "body": "x"}}, "at least 1 chars"},
		{"spec.models[0]", map[string]any{"name": "m", "route": map[string]any{"path": letters(257), "body": "x"}}, "Too long"},
		{"spec.models[0]", map[string]any{
			"name": "m", "route": map[string]any{"path": "/a", "body": "x"}, "weights": []any{map[string]any{"upstream": "fast", "weight": int64(1)}},
		}, "the model's own upstreams"},
		{"spec.models[0].keepAlive", "999ms", "must be at least 1s"},
		{"spec.models[0].keepAlive", "1s", ""},
		{"spec.models[0].weights", []any{}, "at least 1 items"},
		{"spec.models[0].weights", []any{map[string]any{"upstream": "fast", "weight": int64(1000)}}, ""},
		{"spec.models[0].weights", []any{map[string]any{"upstream": "fast", "weight": int64(1001)}}, "less than or equal to 1000"},
		{"spec.models[0].weights", []any{map[string]any{"upstream": "fast", "weight": int64(-1)}}, "greater than or equal to 0"},
		{"spec.models[0].weights", []any{map[string]any{"upstream": "fast"}}, "Required value"},
		{"spec.models[0].weights", []any{map[string]any{"upstream": "fast", "weight": int64(0)}}, "one above 0"},
		{"spec.models[0].weights", []any{map[string]any{"upstream": "elsewhere", "weight": int64(1)}}, "the model's own upstreams"},

		{"spec.functions", times(32, function), ""},
		{"spec.functions", times(33, function), "Too many"},
		{"spec.functions", []any{}, "at least 1 items"},
		{"spec.functions", []any{function(1), function(1)}, "Duplicate value"},
		{"spec.functions[0].name", "find-it", "should match"},
		{"spec.functions[0].name", letters(63), ""},
		{"spec.functions[0].name", letters(64), "Too long"},
		{"spec.functions[0].description", "", "at least 1 chars"},
		{"spec.functions[0].description", letters(1025), "Too long"},
		{"spec.functions[0].input", "object", "must be of type object"},
		{"spec.functions[0].timeout", "0s", "must be longer than 0s and at most 24h"},
		{"spec.functions[0].steps", missing, "Required value"},
		{"spec.functions[0].steps", []any{}, "at least 1 items"},
		{"spec.functions[0].steps", times(16, chatStep), ""},
		{"spec.functions[0].steps", times(17, chatStep), "Too many"},
		{"spec.functions[0].steps[0].http", missing, "exactly one of the fields in [chat embeddings http call agent gather forEach set] must be set"},
		{"spec.functions[0].steps[0].respond", map[string]any{"status": int64(200)}, "unknown field"},
		{"spec.functions[0].steps[0].onError", map[string]any{"type": "Respond"}, "Unsupported value"},
		{"spec.functions[0].output", missing, ""}, // it may have stream, which the config's own validation sees
		{"spec.functions[0].stream", "", "at least 1 chars"},
		{"spec.functions[0].stream", letters(64), "Too long"},
		{"spec.functions[0].output", false, ""},

		{"spec.routes", times(64, route), ""},
		{"spec.routes", times(65, route), "Too many"},
		{"spec.routes", []any{}, "at least 1 items"},
		{"spec.routes", []any{route(1), route(1)}, "Duplicate value"},
		{"spec.routes[0].path", "/", ""},
		{"spec.routes[0].path", "/v1beta", ""},
		{"spec.routes[0].path", "/a/b-c/d.e/_f~/.well-known", ""},
		{"spec.routes[0].path", "answer", "should match"},
		{"spec.routes[0].path", "/a/", "should match"},
		{"spec.routes[0].path", "/a//b", "should match"},
		{"spec.routes[0].path", "/a/../b", "should match"},
		{"spec.routes[0].path", "/./b", "should match"},
		{"spec.routes[0].path", "/a?b", "should match"},
		{"spec.routes[0].path", "/{id}", ""},
		{"spec.routes[0].path", "/a/{b_1}/c/{D}", ""},
		{"spec.routes[0].path", "/a{b}", "should match"},
		{"spec.routes[0].path", "/{a}b", "should match"},
		{"spec.routes[0].path", "/{a-b}", "should match"},
		{"spec.routes[0].path", "/{}", "should match"},
		{"spec.routes[0].path", "/{a}/", "should match"},
		{"spec.routes[0].path", "/{" + letters(63) + "}", ""},
		{"spec.routes[0].path", "/{" + letters(64) + "}", "should match"},
		{"spec.routes[0].path", "/a%2e", "should match"},
		{"spec.routes[0].path", "/v1", "belong to the gateway"},
		{"spec.routes[0].path", "/v1/chat", "belong to the gateway"},
		{"spec.routes[0].path", "/docs", "belong to the gateway"},
		{"spec.routes[0].path", "/docs/x", "belong to the gateway"},
		{"spec.routes[0].path", "/redoc", "belong to the gateway"},
		{"spec.routes[0].path", "/openapi.json", "belong to the gateway"},
		{"spec.routes[0].path", "/" + letters(255), ""},
		{"spec.routes[0].path", "/" + letters(256), "Too long"},
		{"spec.routes[0].method", "HEAD", "Unsupported value"},
		{"spec.routes[0].method", "get", "Unsupported value"},
		{"spec.routes[0].summary", letters(257), "Too long"},
		{"spec.routes[0].summary", "", "at least 1 chars"},
		{"spec.routes[0].timeout", "0ms", "must be longer than 0s and at most 24h"},
		{"spec.routes[0].request.schema", "object", "must be of type object"},
		{"spec.routes[0].request.schema", map[string]any{"$ref": "#/nowhere", "on": true}, ""},
		{"spec.routes[0].budget", missing, ""},
		{"spec.routes[0].budget.maxCalls", 0, "greater than or equal to 1"},
		{"spec.routes[0].budget.maxCalls", 10_000, ""},
		{"spec.routes[0].budget.maxCalls", 10_001, "less than or equal to 10000"},
		{"spec.routes[0].budget.maxTokens", 0, "greater than or equal to 1"},
		{"spec.routes[0].budget.maxTokens", 100_000_000, ""},
		{"spec.routes[0].budget.maxTokens", 100_000_001, "less than or equal to 100000000"},
		{"spec.routes[0].budget.maxBytes", 1023, "greater than or equal to 1024"},
		{"spec.routes[0].budget.maxBytes", 1 << 30, ""},
		{"spec.routes[0].budget.maxBytes", 1<<30 + 1, "less than or equal to 1073741824"},
		{"spec.routes[0].request.parameters", []any{}, "at least 1 items"},
		{"spec.routes[0].request.parameters", times(32, parameter), ""},
		{"spec.routes[0].request.parameters", times(33, parameter), "Too many"},
		{"spec.routes[0].request.parameters", []any{parameter(1), parameter(1)}, "Duplicate value"},
		{"spec.routes[0].request.parameters[0].name", "", "at least 1 chars"},
		{"spec.routes[0].request.parameters[0].name", "a b", "should match"},
		{"spec.routes[0].request.parameters[0].name", "_X-Request.Id", ""},
		{"spec.routes[0].request.parameters[0].name", letters(64), "Too long"},
		{"spec.routes[0].request.parameters[0].in", "Cookie", ""},
		{"spec.routes[0].request.parameters[0].in", "Body", "Unsupported value"},
		{"spec.routes[0].request.parameters[0].in", missing, "Required value"},
		{"spec.routes[0].request.parameters[0].description", letters(1025), "Too long"},
		{"spec.routes[0].request.parameters[0].schema", []any{}, "must be of type object"},
		{"spec.routes[0].request.assertFormats", "yes", "must be of type boolean"},
		{"spec.routes[0].request.allowAnyContentType", "yes", "must be of type boolean"},
		{"spec.routes[0].steps", missing, ""},
		{"spec.routes[0].steps", []any{}, "at least 1 items"},
		{"spec.routes[0].steps", times(16, chatStep), ""},
		{"spec.routes[0].steps", times(17, chatStep), "Too many"},
		{"spec.routes[0].steps[0].name", "a-b", "should match"},
		{"spec.routes[0].steps[0].name", letters(64), "Too long"},
		{"spec.routes[0].steps[0].chat", missing, "exactly one of the fields in [chat embeddings http call agent gather forEach set respond] must be set"},
		{"spec.routes[0].steps[0].set", map[string]any{"value": int64(1)}, "exactly one of the fields in [chat embeddings http call agent gather forEach set respond] must be set"},
		{"spec.routes[0].steps[0].when", "", "at least 1 chars"},
		{"spec.routes[0].steps[0].when", letters(4097), "Too long"},
		{"spec.routes[0].steps[0].timeout", "1d", "should match"},
		{"spec.routes[0].steps[0].chat.upstream", letters(1025), "Too long"},
		{"spec.routes[0].steps[0].chat.upstreams", []any{"fast", "fast"}, "Duplicate value"},
		{"spec.routes[0].steps[0].chat.upstreams", []any{}, "at least 1 items"},
		{"spec.routes[0].steps[0].chat.upstreams", []any{letters(64)}, "Too long"},
		{"spec.routes[0].steps[0].chat.upstreams", times(17, func(i int) any { return "u" + strconv.Itoa(i) }), "Too many"},
		{"spec.routes[0].steps[0].chat.messages", []any{}, "at least 1 items"},
		{"spec.routes[0].steps[0].chat.messages", times(64, message), ""},
		{"spec.routes[0].steps[0].chat.messages", times(65, message), "Too many"},
		{"spec.routes[0].steps[0].chat.messages[0].role", "tool", "Unsupported value"},
		{"spec.routes[0].steps[0].chat.messages[0].role", missing, "set role and content, or only history"},
		{"spec.routes[0].steps[0].chat.messages[0].content", missing, "set role and content, or only history"},
		{"spec.routes[0].steps[0].chat.messages[0].history", "${[]}", "set role and content, or only history"},
		{"spec.routes[0].steps[0].chat.messages[0]", map[string]any{"history": "${[]}"}, ""},
		{"spec.routes[0].steps[0].chat.messages[0]", map[string]any{"history": "${[]}", "role": "user"}, "set role and content, or only history"},
		{"spec.routes[0].steps[0].chat.messages[0]", map[string]any{"history": letters(4097)}, "Too long"},
		{"spec.routes[0].steps[0].chat.messages[0]", map[string]any{}, "set role and content, or only history"},
		{"spec.routes[0].steps[0].chat.messages[0].content", "", "at least 1 chars"},
		{"spec.routes[0].steps[0].chat.messages[0].content", letters(65537), "Too long"},
		{"spec.routes[0].steps[0].chat.parameters", []any{}, "must be of type object"},
		{"spec.routes[0].response", missing, "Required value"},
		{"spec.routes[0].response", map[string]any{}, "at least 1 properties"},
		{"spec.routes[0].response.stream", letters(64), "Too long"},
		{"spec.routes[0].response.events", map[string]any{}, "stream and events exclude each other"},
		{"spec.routes[0].response.format", "SSE", "Unsupported value"},
		{"spec.routes[0].response.schema", missing, "commit is forbidden without stream, and AfterValidation without schema"},
		{"spec.routes[0].response.commit", "Later", "Unsupported value"},
		{"spec.routes[0].response", map[string]any{"stream": "answer", "commit": "Immediately"}, ""},
		{"spec.routes[0].response.unknownMembers", "Keep", "unknownMembers is forbidden without schema, and with stream"},
		{"spec.routes[1].response.format", "Text", "format is forbidden without stream"},
		{"spec.routes[1].response.commit", "Immediately", "commit is forbidden without stream"},
		{"spec.routes[1].response.keepAlive", "15s", "keepAlive is forbidden without stream or events"},
		{"spec.routes[1].response.schema", map[string]any{"type": "object"}, ""},
		{"spec.routes[1].response.schema", "object", "must be of type object"},
		{"spec.routes[2].response.keepAlive", "15s", ""},
		{"spec.routes[2].response.keepAlive", "999ms", "must be at least 1s"},
		{"spec.routes[2].response.keepAlive", "0s", "must be longer than 0s and at most 24h"},
		{"spec.routes[2].response.format", "Text", "format is forbidden without stream"},
		{"spec.routes[2].response.events", map[string]any{}, ""},
		{"spec.routes[2].response.events.steps", []any{}, "at least 1 items"},
		{"spec.routes[2].response.events.steps", times(16, name), ""},
		{"spec.routes[2].response.events.steps", times(17, name), "Too many"},
		{"spec.routes[2].response.events.steps", []any{"a", "a"}, "Duplicate value"},
		{"spec.routes[2].response.events.steps", []any{letters(128)}, "Too long"},
		{"spec.routes[1].response", map[string]any{"body": nil}, "at least 1 properties"},
		{"spec.routes[1].response.body", "${steps.answer.text}", ""},
		{"spec.routes[1].response.body", []any{int64(1), nil, true}, ""},
		{"spec.routes[1].response.body", map[string]any{"deep": map[string]any{"er": nil}}, ""},

		{"spec.routes[1].steps[0].respond.status", 199, "greater than or equal to 200"},
		{"spec.routes[1].steps[0].respond.status", 599, ""},
		{"spec.routes[1].steps[0].respond.status", 600, "less than or equal to 599"},
		{"spec.routes[1].steps[0].respond.status", missing, "Required value"},
		{"spec.routes[1].steps[0].respond.body", "gone", ""},
		{"spec.routes[1].steps[0].respond.headers", map[string]any{"X-A": letters(8193)}, "Too long"},
		{"spec.routes[1].response.status", 199, "greater than or equal to 200"},
		{"spec.routes[1].response.status", 308, ""},
		{"spec.routes[1].response.status", 309, "less than or equal to 308"},
		{"spec.routes[1].response.contentType", "", "at least 1 chars"},
		{"spec.routes[1].response.bodyEncoding", "Hex", "Unsupported value"},
		{"spec.routes[1].response.cookies", []any{}, "at least 1 items"},
		{"spec.routes[1].response.cookies", times(17, setCookie), "Too many"},
		{"spec.routes[1].response.cookies", []any{setCookie(1), setCookie(1)}, "Duplicate value"},
		{"spec.routes[1].response.cookies", []any{map[string]any{"name": "a b"}}, "should match"},
		{"spec.routes[1].response.cookies", []any{map[string]any{"name": "a", "maxAge": int64(-1)}}, "greater than or equal to 0"},
		{"spec.routes[1].response.cookies", []any{map[string]any{"name": "a", "maxAge": int64(config.MaxCookieAge + 1)}}, "less than or equal to 34560000"},
		{"spec.routes[1].response.cookies", []any{map[string]any{"name": "a", "sameSite": "lax"}}, "Unsupported value"},
		{"spec.routes[1].response.location", map[string]any{"path": "/a", "origin": "https://a.example"}, ""},
		{"spec.routes[1].steps[1].onError.type", "Retry", "Unsupported value"},
		{"spec.routes[1].steps[1].onError.type", "Continue", "respond is required when type is Respond, and forbidden otherwise"},
		{"spec.routes[1].steps[1].onError.respond", missing, "respond is required when type is Respond"},
		{"spec.routes[1].steps[1].onError", map[string]any{"type": "Continue"}, ""},
		{"spec.routes[1].steps[1].onError", map[string]any{"type": "Value", "value": []any{nil}}, ""},
		{"spec.routes[1].steps[1].onError", map[string]any{}, "Required value"},
		{"spec.routes[2].steps[0].chat.output.schema", missing, "Required value"},
		{"spec.routes[2].steps[0].chat.output.schema", "object", "must be of type object"},
		{"spec.routes[2].steps[0].chat.output.responseFormat", "JSONObject", ""},
		{"spec.routes[2].steps[0].chat.output.responseFormat", "Nothing", ""},
		{"spec.routes[2].steps[0].chat.output.responseFormat", "json_object", "Unsupported value"},
		{"spec.routes[2].steps[0].chat.output.repairAttempts", 0, ""},
		{"spec.routes[2].steps[0].chat.output.repairAttempts", -1, "greater than or equal to 0"},
		{"spec.routes[2].steps[0].chat.output.repairAttempts", config.MaxRepairAttempts + 1, "less than or equal to 5"},
		{"spec.routes[2].steps[1].embeddings.upstream", missing, "Required value"},
		{"spec.routes[2].steps[1].embeddings.input", "", "at least 1 chars"},
		{"spec.routes[2].steps[1].embeddings.input", letters(65537), "Too long"},
		{"spec.routes[2].steps[1].embeddings.parameters", []any{}, "must be of type object"},
		{"spec.routes[2].steps[2].http.method", "HEAD", "Unsupported value"},
		{"spec.routes[2].steps[2].http.path", "search", "should match"},
		{"spec.routes[2].steps[2].http.path", "/${a ? b : c}", ""},
		{"spec.routes[2].steps[2].http.path", "/" + letters(4096), "Too long"},
		{"spec.routes[2].steps[2].http.query", members(32), ""},
		{"spec.routes[2].steps[2].http.query", members(33), "Too many"},
		{"spec.routes[2].steps[2].http.query.limit", 8, "must be of type string"},
		{"spec.routes[2].steps[2].http.query.limit", "", ""},
		{"spec.routes[2].steps[2].http.headers", members(33), "Too many"},
		{"spec.routes[2].steps[2].http.headers.X-Tenant", letters(8193), "Too long"},
		{"spec.routes[2].steps[2].http.allowStatus", []any{}, "at least 1 items"},
		{"spec.routes[2].steps[2].http.allowStatus", []any{int64(404), int64(404)}, "Duplicate value"},
		{"spec.routes[2].steps[2].http.allowStatus", []any{int64(300), int64(599)}, ""},
		{"spec.routes[2].steps[2].http.allowStatus", []any{int64(200)}, "greater than or equal to 300"},
		{"spec.routes[2].steps[2].http.allowStatus", []any{int64(600)}, "less than or equal to 599"},
		{"spec.routes[2].steps[2].http.allowStatus", times(17, func(i int) any { return int64(400 + i) }), "Too many"},
		{"spec.routes[2].steps[3].call.function", missing, "Required value"},
		{"spec.routes[2].steps[3].call.function", letters(64), "Too long"},
		{"spec.routes[2].steps[3].call.input", "${request.body}", ""},
		{"spec.routes[2].steps[4].agent.tools", missing, "Required value"},
		{"spec.routes[2].steps[4].agent.tools", []any{}, "at least 1 items"},
		{"spec.routes[2].steps[4].agent.tools", times(32, name), ""},
		{"spec.routes[2].steps[4].agent.tools", times(33, name), "Too many"},
		{"spec.routes[2].steps[4].agent.tools", []any{"a", "a"}, "Duplicate value"},
		{"spec.routes[2].steps[4].agent.messages", []any{}, "at least 1 items"},
		{"spec.routes[2].steps[4].agent.messages[0].role", missing, "set role and content, or only history"},
		{"spec.routes[2].steps[4].agent.maxTurns", config.MaxTurns, ""},
		{"spec.routes[2].steps[4].agent.maxParallel", config.MaxParallel, ""},
		{"spec.routes[2].steps[9].forEach.maxParallel", config.MaxParallel, ""},
		{"spec.routes[2].steps[0].chat.output.repairAttempts", config.MaxRepairAttempts, ""},
		{"spec.routes[2].steps[4].agent.maxTurns", 0, "greater than or equal to 1"},
		{"spec.routes[2].steps[4].agent.maxTurns", config.MaxTurns + 1, "less than or equal to 32"},
		{"spec.routes[2].steps[4].agent.maxParallel", 0, "greater than or equal to 1"},
		{"spec.routes[2].steps[4].agent.maxParallel", config.MaxParallel + 1, "less than or equal to 32"},
		{"spec.routes[2].steps[5].gather.strategy", "Any", "Unsupported value"},
		{"spec.routes[2].steps[5].gather.strategy", missing, "Required value"},
		{"spec.routes[2].steps[5].gather.strategy", "AllSettled", ""},
		{"spec.routes[2].steps[5].gather.strategy", "First", ""},
		{"spec.routes[2].steps[5].gather.strategy", "Vote", "vote is required when strategy is Vote, and forbidden otherwise"},
		{"spec.routes[2].steps[5].gather.first", map[string]any{}, "first is forbidden unless strategy is First"},
		{"spec.routes[2].steps[5].gather.fallback", map[string]any{}, "fallback is forbidden unless strategy is Fallback"},
		{"spec.routes[2].steps[8].gather.strategy", "All", "vote is required when strategy is Vote, and forbidden otherwise"},
		{"spec.routes[2].steps[5].gather.branches", times(1, chatStep), "at least 2 items"},
		{"spec.routes[2].steps[5].gather.branches", times(config.MaxBranches, chatStep), ""},
		{"spec.routes[2].steps[5].gather.branches", times(config.MaxBranches+1, chatStep), "Too many"},
		{"spec.routes[2].steps[5].gather.branches[0].name", "a.b", "should match"},
		{"spec.routes[2].steps[5].gather.branches[0].chat", missing, "exactly one of the fields in [chat embeddings http call agent] must be set"},
		{"spec.routes[2].steps[5].gather.branches[0].call", map[string]any{"function": "f"}, "exactly one of the fields in [chat embeddings http call agent] must be set"},
		{"spec.routes[2].steps[5].gather.branches[0].set", map[string]any{"value": int64(1)}, "unknown field"},
		{"spec.routes[2].steps[5].gather.branches[0].onError", map[string]any{"type": "Respond"}, "Unsupported value"},
		{"spec.routes[2].steps[5].gather.branches[0].when", letters(4097), "Too long"},
		{"spec.routes[2].steps[6].gather.branches", times(8, chatStep), ""},
		{"spec.routes[2].steps[6].gather.branches", times(9, chatStep), "branches must have at most 8 items when strategy is First or Fallback"},
		{"spec.routes[2].steps[7].gather.branches", times(9, chatStep), "branches must have at most 8 items when strategy is First or Fallback"},
		{"spec.routes[2].steps[6].gather.first.hedgeDelay", "0s", "must be longer than 0s and at most 24h"},
		{"spec.routes[2].steps[6].gather.first", missing, ""},
		{"spec.routes[2].steps[7].gather.fallback.firstToken", "1.5s", "should match"},
		{"spec.routes[2].steps[7].gather.fallback", missing, ""},
		{"spec.routes[2].steps[8].gather.vote.key", missing, "Required value"},
		{"spec.routes[2].steps[8].gather.vote.key", letters(4097), "Too long"},
		{"spec.routes[2].steps[8].gather.vote.quorum", 0, "greater than or equal to 1"},
		{"spec.routes[2].steps[8].gather.vote.quorum", 17, "less than or equal to 16"},
		{"spec.routes[2].steps[8].gather.vote.ties", "Random", "Unsupported value"},
		{"spec.routes[2].steps[9].forEach.items", missing, "Required value"},
		{"spec.routes[2].steps[9].forEach.items", letters(4097), "Too long"},
		{"spec.routes[2].steps[9].forEach.maxItems", 0, "greater than or equal to 1"},
		{"spec.routes[2].steps[9].forEach.maxItems", config.MaxItems, ""},
		{"spec.routes[2].steps[9].forEach.maxItems", config.MaxItems + 1, "less than or equal to 256"},
		{"spec.routes[2].steps[9].forEach.maxParallel", 0, "greater than or equal to 1"},
		{"spec.routes[2].steps[9].forEach.maxParallel", config.MaxParallel + 1, "less than or equal to 32"},
		{"spec.routes[2].steps[9].forEach.do", missing, "Required value"},
		{"spec.routes[2].steps[9].forEach.do", map[string]any{}, "exactly one of the fields in [chat embeddings http call agent] must be set"},
		{"spec.routes[2].steps[9].forEach.do.gather", map[string]any{}, "unknown field"},
		{"spec.routes[2].steps[14].set.value", missing, "Required value"},
		{"spec.routes[2].steps[14].set.value", nil, "Required value"},
		{"spec.routes[2].steps[14].set.value", "${null}", ""},
		{"spec.routes[2].steps[14].set.value", false, ""},

		{"spec.runtime.workers", "Auto", ""},
		{"spec.runtime.workers", "auto", "workers must be an integer from 1 to 64, or Auto"},
		{"spec.runtime.workers", "3", "workers must be an integer from 1 to 64, or Auto"},
		{"spec.runtime.workers", 0, "workers must be an integer from 1 to 64, or Auto"},
		{"spec.runtime.workers", 1, ""},
		{"spec.runtime.workers", 64, ""},
		{"spec.runtime.workers", 65, "workers must be an integer from 1 to 64, or Auto"},
		{"spec.runtime.maxInFlight", 0, "greater than or equal to 1"},
		{"spec.runtime.maxInFlight", 100_000, ""},
		{"spec.runtime.maxInFlight", 100_001, "less than or equal to 100000"},
		{"spec.runtime.requestLog", "All", ""},
		{"spec.runtime.requestLog", "Failed", ""},
		{"spec.runtime.requestLog", "None", `supported values: "Failed", "All"`},
		{"spec.runtime.trustedProxies", []any{"10.0.0.0/8", "fd00::/8"}, ""},
		{"spec.runtime.trustedProxies", []any{}, "at least 1 items"},
		{"spec.runtime.trustedProxies", times(65, func(i int) any { return "10." + strconv.Itoa(i) + ".0.0/16" }), "Too many"},
		{"spec.runtime.trustedProxies", []any{"10.0.0.0/8", "10.0.0.0/8"}, "Duplicate value"},
		{"spec.runtime.trustedProxies", []any{"10.0.0.1"}, "must be a network in CIDR notation, such as 10.0.0.0/8 or fd00::/8"},
		{"spec.runtime.trustedProxies", []any{"${request.path}"}, "must be a network in CIDR notation"},
		{"spec.runtime.requestBodyLimit", "1023", "requestBodyLimit must be a quantity from 1Ki to 16Mi"},
		{"spec.runtime.requestBodyLimit", "1Ki", ""},
		{"spec.runtime.requestBodyLimit", config.MaxRequestBodyLimit, ""},
		{"spec.runtime.requestBodyLimit", config.MaxRequestBodyLimit + 1, "requestBodyLimit must be a quantity from 1Ki to 16Mi"},
		{"spec.runtime.requestBodyLimit", "-4Mi", "requestBodyLimit must be a quantity from 1Ki to 16Mi"},
		{"spec.runtime.requestBodyLimit", "4MiB", "requestBodyLimit must be a quantity from 1Ki to 16Mi"},
		{"spec.runtime.maxStreamDuration", "999ms", "maxStreamDuration must be at least 1s"},
		{"spec.runtime.maxStreamDuration", "20m", ""},
		{"spec.runtime.maxStreamDuration", "25h", "must be longer than 0s and at most 24h"},
		{"spec.openAPI", map[string]any{}, "at least 1 properties"},
		{"spec.openAPI.title", letters(129), "Too long"},
		{"spec.openAPI.version", letters(65), "Too long"},
		{"spec.openAPI.description", letters(4097), "Too long"},
		{"spec.routes[0].description", letters(4097), "Too long"},
		{"spec.routes[0].tags", []any{"a", "a"}, "Duplicate value"},
		{"spec.routes[0].tags", []any{letters(65)}, "Too long"},
		{"spec.routes[0].operationID", "a b", "should match"},
		{"spec.runtime.maxStreamDuration", "44s", "routes: maxStreamDuration must not exceed runtime.maxStreamDuration, which ends each stream"},
		{"spec.routes[2].maxStreamDuration", "1m", ""},
		{"spec.routes[2].maxStreamDuration", "61s", "routes: maxStreamDuration must not exceed runtime.maxStreamDuration"},
		{"spec.routes[2].maxStreamDuration", "0s", "must be longer than 0s and at most 24h"},
		{"spec.routes[1].maxStreamDuration", "30s", "maxStreamDuration is forbidden without response.stream or response.events"},
		{"spec.runtime.resources.limits", map[string]any{"nvidia.com/gpu": 1}, "unknown field"},
		{"spec.runtime.resources.limits.cpu", 2, ""},
		{"spec.runtime.resources.limits.cpu", "1e1.5", "cpu must be a quantity of cores from 1m to 1000"},
		{"spec.runtime.resources.limits.cpu", "-1", "cpu must be a quantity of cores from 1m to 1000"},
		{"spec.runtime.resources.limits.cpu", "249m", "requests.cpu must not exceed limits.cpu"},
		{"spec.runtime.resources.limits.memory", "100Mi", "requests.memory must not exceed limits.memory"},
		{"spec.runtime.image", "bad image", "image must be a name with a tag, a digest or both"},
		{"spec.runtime.image", "", "at least 1 chars"},
		{"spec.runtime.podTemplate", map[string]any{"spec": map[string]any{"anything": []any{nil}}}, ""}, // the operator checks it
		{"spec.runtime.podTemplate", "spec", "must be of type object"},
		{"spec.runtime.image", letters(513), "Too long"},

		{"spec.scaling", missing, ""},
		{"spec.scaling.maxReplicas", missing, "Required value"},
		{"spec.scaling.maxReplicas", 1, "minReplicas must not exceed maxReplicas"},
		{"spec.scaling.maxReplicas", 2, ""},
		{"spec.scaling.maxReplicas", 1001, "less than or equal to 1000"},
		{"spec.scaling.minReplicas", 0, "greater than or equal to 1"},
		{"spec.scaling.metrics", missing, "Required value"},
		{"spec.scaling.metrics", []any{}, "at least 1 items"},
		{"spec.scaling.metrics", times(8, metric), ""},
		{"spec.scaling.metrics", times(9, metric), "Too many"},
		{"spec.scaling.metrics", []any{metric(1), metric(1)}, "Duplicate value"},
		{"spec.scaling.metrics[0].name", "Streams", "should match"},
		{"spec.scaling.metrics[0].type", "Memory", "Unsupported value"},
		{"spec.scaling.metrics[0].averageValue", missing, "averageValue is required when type is InFlight"},
		{"spec.scaling.metrics[0].averageValue", 0, "greater than or equal to 1"},
		{"spec.scaling.metrics[0].averageUtilization", 70, "averageUtilization is required when type is CPU, and forbidden"},
		{"spec.scaling.metrics[1].averageUtilization", missing, "averageUtilization is required when type is CPU"},
		{"spec.scaling.metrics[1].averageValue", 100, "averageValue is required when type is InFlight, and forbidden"},

		{"spec.replicas", 0, ""},
		{"spec.replicas", -1, "greater than or equal to 0"},
		{"spec.replicas", 1000, ""},
		{"spec.replicas", 1001, "less than or equal to 1000"},
		{"spec.exposure.service.port", 0, "greater than or equal to 1"},
		{"spec.exposure.service.port", 65536, "less than or equal to 65535"},
		{"spec.exposure.httpRoute", map[string]any{}, "parentRefs: Required value"},
		{"spec.exposure.httpRoute.parentRefs", []any{}, "at least 1 items"},
		{"spec.exposure.httpRoute.parentRefs", times(17, func(int) any { return map[string]any{"name": "public"} }), "Too many"},
		{
			"spec.exposure.httpRoute.parentRefs", []any{
				map[string]any{"name": "public", "sectionName": "a"}, map[string]any{"name": "public", "sectionName": "b"},
				map[string]any{"name": "public", "namespace": "infra"}, map[string]any{"name": "public", "kind": "Service", "group": "core"},
			}, "",
		},
		{"spec.exposure.httpRoute.parentRefs", times(2, func(int) any { return map[string]any{"name": "public"} }), "a sectionName of its own"},
		{
			"spec.exposure.httpRoute.parentRefs", []any{
				map[string]any{"name": "public"}, map[string]any{"name": "public", "kind": "Gateway", "port": 80},
			}, "a sectionName of its own",
		},
		{
			"spec.exposure.httpRoute.parentRefs", []any{
				map[string]any{"name": "public", "sectionName": "a"}, map[string]any{"name": "public", "sectionName": "a", "port": 80},
			}, "a sectionName of its own",
		},
		{"spec.exposure.httpRoute.parentRefs[0].name", missing, "Required value"},
		{"spec.exposure.httpRoute.parentRefs[0].name", letters(254), "Too long"},
		{"spec.exposure.httpRoute.parentRefs[1].namespace", "Infra", "should match"},
		{"spec.exposure.httpRoute.parentRefs[1].sectionName", "-", "should match"},
		{"spec.exposure.httpRoute.parentRefs[1].port", 65536, "less than or equal to 65535"},
		{"spec.exposure.httpRoute.parentRefs[1].kind", "Gate way", "should match"},
		{"spec.exposure.httpRoute.parentRefs[1].group", "Group", "should match"},
		{"spec.exposure.httpRoute.hostnames", missing, ""},
		{"spec.exposure.httpRoute.hostnames[0]", "https://example.com", "should match"},
		{"spec.exposure.httpRoute.hostnames[0]", "a.*.example.com", "should match"},
		{"spec.exposure.httpRoute.scheme", "http", ""},
		{"spec.exposure.httpRoute.scheme", "ftp", "Unsupported value"},
		{"spec.exposure.ingress", map[string]any{}, "host: Required value"},
		{"spec.exposure.ingress.className", missing, ""},
		{"spec.exposure.ingress.className", "N", "should match"},
		{"spec.exposure.ingress.host", "*.example.com", "should match"},
		{"spec.exposure.ingress.host", "192.0.2.1", "must be a name, and not an address"},
		{"spec.exposure.ingress.tls", map[string]any{}, ""},
		{"spec.exposure.ingress.tls.secretName", "S", "should match"},
		{"spec.exposure.ingress.annotations", map[string]any{"a b": "c"}, "keys must be names of annotations"},
		{"spec.exposure.ingress.annotations", map[string]any{"serving.llmservice.dev/applied-hash": "c"}, "not the operator's own"},
		{"spec.exposure.ingress.annotations", map[string]any{"a": letters(4097)}, "Too long"},
		{"spec.exposure.networkPolicy", map[string]any{}, ""},
		{"spec.exposure.networkPolicy.egress", map[string]any{}, ""},
		{"spec.exposure.networkPolicy.egress.to", []any{}, "at least 1 items"},
		{"spec.exposure.networkPolicy.ingress", map[string]any{}, "Required value"},
		{"spec.exposure.networkPolicy.ingress.from", []any{}, "at least 1 items"},
		{"spec.exposure.networkPolicy.ingress.from", times(17, func(int) any { return map[string]any{"podSelector": map[string]any{}} }), "Too many"},
		{"spec.exposure.networkPolicy.ingress.from[0]", map[string]any{}, "either ipBlock, or podSelector, namespaceSelector or both"},
		{"spec.exposure.networkPolicy.ingress.from[0].ipBlock", map[string]any{"cidr": "10.0.0.0/8"}, "either ipBlock"},
		{"spec.exposure.networkPolicy.ingress.from[0].podSelector", missing, ""},
		{"spec.exposure.networkPolicy.ingress.from[0].namespaceSelector", missing, ""},
		{"spec.exposure.networkPolicy.ingress.from[0].podSelector.matchLabels", map[string]any{"a.b/c": ""}, ""},
		{"spec.exposure.networkPolicy.ingress.from[0].podSelector.matchLabels", map[string]any{"a b": "c"}, "keys must be names of labels"},
		{"spec.exposure.networkPolicy.ingress.from[0].podSelector.matchLabels", map[string]any{"a": "b c"}, "should match"},
		{"spec.exposure.networkPolicy.ingress.from[0].podSelector.matchLabels", map[string]any{"a": letters(64)}, "Too long"},
		{"spec.exposure.networkPolicy.egress.to[0].ipBlock.cidr", "10.0.0.1", "must be a network in CIDR notation"},
		{"spec.exposure.networkPolicy.egress.to[0].ipBlock.cidr", "fd00::/8", "each of except must be a part of cidr"},
		{"spec.exposure.networkPolicy.egress.to[0].ipBlock.except", []any{"10.0.0.0/8"}, "each of except must be a part of cidr"},
		{"spec.exposure.networkPolicy.egress.to[0].ipBlock.except", []any{"11.0.0.0/16"}, "each of except must be a part of cidr"},
		{"spec.exposure.networkPolicy.egress.to[0].ipBlock.except", []any{"10.1.0.0"}, "each of except must be a part of cidr"},
		{"spec.exposure.networkPolicy.egress.to[0].ipBlock.except", []any{"10.1.0.0/16", "10.2.0.0/16"}, ""},
		{"spec.exposure.service.port", 15008, "each port must have a number of its own, other than that of port"},
		{"spec.exposure.service.type", "ExternalName", "Unsupported value"},
		{"spec.exposure.service.type", "NodePort", "loadBalancerClass is allowed only if type is LoadBalancer"},
		{"spec.exposure.service.type", "ClusterIP", "externalTrafficPolicy is allowed only if type is NodePort or LoadBalancer"},
		{"spec.exposure.service.type", missing, "externalTrafficPolicy is allowed only if type is NodePort or LoadBalancer"},
		{"spec.exposure.service.loadBalancerClass", missing, ""},
		{"spec.exposure.service.loadBalancerClass", letters(254), "Too long"},
		{"spec.exposure.service.labels", map[string]any{"a": "b c"}, "should match"},
		{"spec.exposure.service.labels", map[string]any{"a": letters(64)}, "Too long"},
		{"spec.exposure.service.labels", map[string]any{"a": ""}, ""},
		{"spec.exposure.service.annotations", map[string]any{"a": letters(4096)}, ""},
		{"spec.exposure.service.annotations", map[string]any{"a": letters(4097)}, "Too long"},
		{"spec.exposure.service.externalTrafficPolicy", "Some", "Unsupported value"},
		{"spec.exposure.service.trafficDistribution", "PreferSameNode", ""},
		{"spec.exposure.service.trafficDistribution", "PreferClose", "Unsupported value"},
		{"spec.exposure.service.sessionAffinity", "None", ""},
		{"spec.exposure.service.sessionAffinity", "Cookie", "Unsupported value"},
		{"spec.exposure.service.ipFamilyPolicy", "RequireDualStack", ""},
		{"spec.exposure.service.ipFamilyPolicy", "DualStack", "Unsupported value"},
		{"spec.exposure.service.ipFamilies", []any{"IPv6"}, ""},
		{"spec.exposure.service.ipFamilies", []any{"IPv5"}, "Unsupported value"},
		{"spec.exposure.service.ipFamilies", []any{}, "at least 1 items"},
		{"spec.exposure.service.ipFamilies", []any{"IPv4", "IPv4"}, "ipFamilies must differ"},
		{"spec.exposure.service.ipFamilies", []any{"IPv4", "IPv6"}, "two ipFamilies need an ipFamilyPolicy of PreferDualStack or RequireDualStack"},
		{"spec.exposure.service.ports", []any{}, "at least 1 items"},
		{"spec.exposure.service.ports", times(8, servicePort), ""},
		{"spec.exposure.service.ports", times(9, servicePort), "Too many"},
		{"spec.exposure.service.ports", []any{servicePort(1), map[string]any{"name": "b", "port": int64(9001)}}, "each port must have a number of its own"},
		{"spec.exposure.service.ports[0].name", "http", "http is the name of the Service's own port"},
		{"spec.exposure.service.ports[0].name", "a--b", "should match"},
		{"spec.exposure.service.ports[0].name", letters(16), "Too long"},
		{"spec.exposure.service.ports[0].port", 0, "greater than or equal to 1"},
		{"spec.exposure.service.ports[0].port", 65536, "less than or equal to 65535"},
		{"spec.exposure.service.ports[0].targetPort", missing, ""},
		{"spec.exposure.service.ports[0].targetPort", "proxy", ""},
		{"spec.exposure.service.ports[0].targetPort", "admin", "other than admin and 9090"},
		{"spec.exposure.service.ports[0].targetPort", 9090, "other than admin and 9090"},
		{"spec.exposure.service.ports[0].targetPort", 0, "targetPort must be the name or the number of a container's port"},
		{"spec.runtime.podDisruptionBudget.maxUnavailable", 1, ""},
		{"spec.runtime.podDisruptionBudget.maxUnavailable", 0, "with 0, no node could be drained"},
		{"spec.runtime.podDisruptionBudget.maxUnavailable", "100%", ""},
		{"spec.runtime.podDisruptionBudget.maxUnavailable", "0%", "with 0, no node could be drained"},
		{"spec.runtime.podDisruptionBudget.maxUnavailable", "101%", "maxUnavailable must be a number from 1 to 1000, or a share from 1% to 100%"},
		{"spec.runtime.podDisruptionBudget.maxUnavailable", 1001, "maxUnavailable must be a number from 1 to 1000"},

		// What only the config's own validation can judge is accepted: the operator says what is wrong, where.
		{"spec.upstreams[0].endpoints[0].url", "http://", ""},
		{"spec.upstreams[0].endpoints[0].url", "https://user:password@host?query", ""},
		{"spec.upstreams[1].headers[0].name", "Connection", ""},
		{"spec.models[0].upstreams", []any{"unknown"}, ""},
		{"spec.routes[0].steps[0].chat.upstream", "unknown", ""},
		{"spec.routes[0].response.stream", "unknown", ""},
		{"spec.routes[0].request.schema", map[string]any{"type": "nonsense"}, ""},
		{"spec.routes[0].steps[0].chat.messages[0].content", "${not an expression", ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			object := everyField(t)
			put(object, tt.path, asJSON(tt.value))
			err := dryRun(t, object)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("%.80v is refused: %v", tt.value, err)
			case tt.want != "" && err == nil:
				t.Errorf("%.80v is accepted, want an error with %q", tt.value, tt.want)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("%.80v: got %v, want an error with %q", tt.value, err, tt.want)
			case err != nil && !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err):
				t.Errorf("%.80v: got %v, want Invalid or BadRequest", tt.value, err)
			}
		})
	}
}

// The largest object that the schema allows must not be too dear for the rules.
func TestLargestObjectIsAccepted(t *testing.T) {
	object := everyField(t)
	put(object, "spec.upstreams", times(64, func(i int) any {
		u := upstream(i).(map[string]any)
		u["endpoints"] = times(16, endpoint)
		u["auth"] = at(object, "spec.upstreams[0].auth")
		u["tls"] = at(object, "spec.upstreams[2].tls")
		u["headers"], u["query"] = times(16, named), times(16, named)
		return u
	}))
	put(object, "spec.models", times(64, model))
	put(object, "spec.functions", times(32, function))
	// Nearly the three megabytes that an API server reads: 64 routes of 16 branches of 64 messages.
	branches := times(16, func(i int) any {
		b := chatStep(i).(map[string]any)
		b["chat"].(map[string]any)["messages"] = times(64, message)
		return b
	})
	put(object, "spec.routes", times(64, func(i int) any {
		r := route(i).(map[string]any)
		r["path"] = "/" + letters(250) + strconv.Itoa(i)
		r["steps"] = []any{map[string]any{"name": "s0", "gather": map[string]any{"strategy": "All", "branches": branches}}}
		return r
	}))
	if err := dryRun(t, object); err != nil {
		t.Error(err)
	}
}

func name(i int) any { return "u" + strconv.Itoa(i) }

func endpoint(i int) any { return map[string]any{"url": "http://host" + strconv.Itoa(i) + "/v1"} }

func upstream(i int) any {
	return map[string]any{
		"name": name(i), "type": "OpenAI", "openAI": map[string]any{"model": "m"}, "endpoints": times(1, endpoint),
	}
}

// named is a header or query parameter.
func named(i int) any { return map[string]any{"name": "n" + strconv.Itoa(i), "value": "v"} }

// namedKey is a key, and what it is sent in.
func namedKey(in string) any {
	return map[string]any{"name": in, "secretKeyRef": map[string]any{"name": "keys", "key": "k"}}
}

func model(i int) any {
	return map[string]any{"name": "m" + strconv.Itoa(i), "upstreams": []any{"fast"}}
}

func function(i int) any {
	return map[string]any{"name": "f" + strconv.Itoa(i), "steps": times(1, chatStep), "output": "${steps.s0.text}"}
}

func parameter(i int) any {
	return map[string]any{"name": "p" + strconv.Itoa(i), "in": "Query"}
}

// members are so many of an object.
func members(n int) map[string]any {
	of := map[string]any{}
	for i := range n {
		of["m"+strconv.Itoa(i)] = "x"
	}
	return of
}

func message(int) any { return map[string]any{"role": "user", "content": "Hello"} }

func chatStep(i int) any {
	return map[string]any{
		"name": "s" + strconv.Itoa(i), "chat": map[string]any{"upstream": "fast", "messages": times(1, message)},
	}
}

func route(i int) any {
	return map[string]any{
		"path": "/r" + strconv.Itoa(i), "steps": times(1, chatStep), "response": map[string]any{"stream": "s0"},
	}
}

func servicePort(i int) any {
	return map[string]any{"name": "p" + strconv.Itoa(i), "port": int64(9000 + i)}
}

func metric(i int) any {
	return map[string]any{"name": "m" + strconv.Itoa(i), "type": "InFlight", "averageValue": int64(1)}
}

// asJSON turns Go's integers into those of decoded JSON.
func asJSON(value any) any {
	switch value := value.(type) {
	case int:
		return int64(value)
	case map[string]any:
		for key, member := range value {
			value[key] = asJSON(member)
		}
	}
	return value
}
