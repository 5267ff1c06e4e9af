package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
)

const limit = 2 << 10

// What agents and people act on stays.
func TestWhatIsNoKeyStays(t *testing.T) {
	for _, text := range []string{
		"This model's maximum context length is 128000 tokens. However, your messages resulted in 130012 tokens.",
		"The model `mistralai/Mixtral-8x22B-Instruct-v0.1` does not exist.",
		"The model `nvidia/Llama-3_1-Nemotron-Ultra-253B-v1` does not exist, nor does deepseek-ai/DeepSeek-R1-Distill-Qwen-32B.",
		"ft:gpt-4o-mini-2024-07-18:acme:custom was not found; use meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo or claude-3-5-sonnet-20241022",
		"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
		"Invalid value for 'messages[0].content[1].image_url.url': expected a URL, see https://platform.openai.com/docs/guides/error-codes/api-errors",
		"max_tokens: 4096 > 2048, which is the maximum", "top_p=1.5", "Invalid 'tools[0].function.name': string does not match '^[a-zA-Z0-9_-]+$'.",
		"tool_call_ids did not have response messages: call_Jlyt8aB3kQ9xZ2mN7pR4sT6v, toolu_01A09q90qw90lq917835lq9",
		"Qwen2VLForConditionalGeneration has no chat template", "risk-based and task-specific, disk_full", "Grüße, 你好, 👋🏽",
		"'response_format.json_schema.schema.properties.additional_information' is not strict", "Token limit reached; the key is too long",
	} {
		if got := Text(text, []string{"k-0123456789"}, limit); got != text {
			t.Errorf("%s\nbecame %s", text, got)
		}
	}
}

// mixed is a text of n characters in which each is any of the alphabet, always the same.
func mixed(n int, alphabet string) string {
	state := uint32(7)
	var b strings.Builder
	for range n {
		state = state*1664525 + 1013904223
		b.WriteByte(alphabet[int(state>>16)%len(alphabet)])
	}
	return b.String()
}

const (
	lower = "abcdefghijklmnopqrstuvwxyz0123456789"
	all   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + lower
)

// Keys of many services, in the places where servers repeat them.
func TestKeysAreTakenOut(t *testing.T) {
	for name, key := range map[string]string{
		"OpenAI": "sk-proj-" + mixed(40, all), "OpenAI, old": "sk-" + mixed(20, all), "Anthropic": "sk-ant-api03-" + mixed(30, all),
		"a short one": "sk-abc123", "a masked one": "sk-proj-****wxyz", "upper case": "SK-ABCDEF12", "Stripe": "sk_live_" + mixed(24, all),
		"AWS, id": "AKIAIOSFODNN7EXAMPLE", "AWS, session": "ASIAIOSFODNN7EXAMPLE", "AWS, secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"Google": "AIzaSy" + mixed(33, all), "Google, OAuth": "ya29.a0" + mixed(20, all), "Google, client": "GOCSPX-" + mixed(20, all),
		"Hugging Face": "hf_" + mixed(34, all), "Groq": "gsk_" + mixed(40, all), "xAI": "xai-" + mixed(40, all), "NVIDIA": "nvapi-" + mixed(40, all),
		"Perplexity": "pplx-" + mixed(40, lower), "Replicate": "r8_" + mixed(37, all), "GitHub": "ghp_" + mixed(36, all),
		"GitHub, fine": "github_pat_" + mixed(30, all), "GitLab": "glpat-" + mixed(20, all), "Slack": "xoxb-123456789012-" + mixed(24, all),
		"JSON Web Token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + mixed(22, all), "Azure": mixed(32, "0123456789abcdef"),
		"Azure, new": mixed(84, all), "Mistral": mixed(32, all), "base64": base64.StdEncoding.EncodeToString([]byte(mixed(30, all))),
		"hex, upper": strings.ToUpper(mixed(40, "0123456789abcdef")), "a UUID": "6a3f0c1e-9b7d-4c55-8a21-0d9e4b7f1c33", "SendGrid": "SG." + mixed(22, all),
		"letters and digits": mixed(28, lower),
	} {
		for _, within := range []string{"%s", "the key %s is wrong", "key '%s'", `{"key":"%s"}`, "(%s)", "a=%s&b=1", "https://x.test/%s/y", "x%%20%s", `x\n%s`} {
			got := Text(fmt.Sprintf(within, key), nil, limit)
			if strings.Contains(got, key) || !strings.Contains(got, removed) {
				t.Errorf("%s, %s: %s", name, within, got)
			}
		}
	}
}

// What only its place tells to be a credential.
func TestNamedCredentialsAreTakenOut(t *testing.T) {
	for text, want := range map[string]string{
		"Bearer hunter2 was sent":                         "Bearer [removed] was sent",
		"got `Authorization: Bearer hunter2`":             "got `Authorization: Bearer [removed]",
		`{"authorization": "Basic aHVudGVy"}`:             `{"authorization": "Basic [removed]"}`,
		"Basic aHVudGVyMg== is old":                       "Basic [removed] is old",
		"x-api-key: hunter2":                              "x-api-key: [removed]",
		"Incorrect API key provided: hunter2, see":        "Incorrect API key provided: [removed], see",
		"api_key=hunter2&x=1":                             "api_key=[removed]&x=1",
		"https://x.test/a?key=hunter2&sig=abc":            "https://x.test/a?key=[removed]&sig=[removed]",
		"access_token=hunter2 client-secret: hunter3":     "access_token=[removed] client-secret: [removed]",
		`password: "hunter2"`:                             `password: "[removed]"`,
		"postgres://user:hunter2@db.test/x failed":        "postgres://[removed]@db.test/x failed",
		"http://hunter2@x.test":                           "http://[removed]@x.test",
		"https://u:hun/ter2@x.test/":                      "https://[removed]@x.test/",
		"AccountKey=hunter2;EndpointSuffix=x":             "AccountKey=[removed];EndpointSuffix=x",
		"X-Amz-Signature=hunter2":                         "X-Amz-Signature=[removed]",
		"-----BEGIN PRIVATE KEY-----\nhunter2":            "[removed]",
		"a -----BEGIN X-----\nh\n-----END X----- b":       "a [removed] b",
		"Bearer%20hunter2":                                "Bearer%20[removed]",
		`{\"authorization\":\"Bearer hunter2\"}`:          `{\"authorization\":\"Bearer [removed]"}`,
		`{\\\"x-api-key\\\":\\\"hunter2\\\"}`:             `{\\\"x-api-key\\\":\\\"[removed]\\\"}`,
		"&quot;api_key&quot;: &quot;hunter2&quot;":        "&quot;api_key&quot;: &quot;[removed]&quot;",
		"subscription key: hunter2":                       "subscription key: [removed]",
		"Bear\u200ber hun\x00ter2, sk-\u200babcdef12":     "Bearer [removed], [removed]",
		"Ocp-Apim-Subscription-Key: hunter2; id_token=h2": "Ocp-Apim-Subscription-Key: [removed]; id_token=[removed]",
	} {
		if got := Text(text, nil, limit); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// spelled are the forms in which a server may repeat a secret.
func spelled(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	again, _ := json.Marshal(string(quoted))
	var percent, unicode, entities strings.Builder
	for i := range len(secret) {
		fmt.Fprintf(&percent, "%%%02x", secret[i])
	}
	for _, r := range secret {
		fmt.Fprintf(&unicode, `\u%04X`, r)
		fmt.Fprintf(&entities, "&#%d;", r)
	}
	return map[string]string{
		"plain": secret, "lower": strings.ToLower(secret), "upper": strings.ToUpper(secret), "JSON": string(quoted), "JSON twice": string(again),
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "percent": percent.String(), "unicode": unicode.String(),
		"HTML": html.EscapeString(secret), "entities": entities.String(), "base64": base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)), "hex": hex.EncodeToString([]byte(secret)),
		"basic": base64.StdEncoding.EncodeToString([]byte("u:" + secret)), "basic 2": base64.StdEncoding.EncodeToString([]byte("us:" + secret + "x")),
		"JSON in a query": url.QueryEscape(string(quoted)),
	}
}

// A configured secret goes in every spelling, however it looks.
func TestSecretsAreTakenOut(t *testing.T) {
	for _, secret := range []string{"hunter2", "correct horse", `a"b\c/d<e>&f`, "50%25off", "grüße-an-alle", "pass+word=1", "a%41b-c"} {
		for name, form := range spelled(secret) {
			if name == "upper" && secret == "grüße-an-alle" {
				continue // only ASCII has one other case
			}
			got := Text("the token "+form+" was refused", []string{"other-secret", secret}, limit)
			if strings.Contains(got, form) || !strings.Contains(got, removed) || !strings.HasPrefix(got, "the token ") {
				t.Errorf("%q, %s: %s", secret, name, got)
			}
			// Of an encoded one no character is left, whatever stood around it.
			encoded := strings.HasPrefix(name, "base64") || name == "hex" || strings.HasPrefix(name, "basic")
			if encoded && got != "the token "+removed+" was refused" {
				t.Errorf("%q, %s: %s", secret, name, got)
			}
		}
	}
}

// A secret of which no text is free leaves nothing; neither may what was taken out, or the mark, put one together.
func TestWhatCannotBeMadeSafeIsNotTold(t *testing.T) {
	for _, tt := range []struct{ text, secret, want string }{
		{"an error", "e", ""},
		{"an error", "zz", "an error"},
		{"xx[r", "x[r", ""},
		{"x\x00y", "xy", removed},
		{"ababab", "abab", removed},
		{"", "x", ""},
		{" \n ", "x", ""},
	} {
		if got := Text(tt.text, []string{tt.secret}, limit); got != tt.want {
			t.Errorf("%q without %q: %q, want %q", tt.text, tt.secret, got, tt.want)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	words := strings.Repeat("wörter ", 10_000)
	got := Text(words, nil, limit)
	if len(got) > limit || len(got) < limit-8 || !strings.HasSuffix(got, ellipsis) || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("%d bytes, ends in %q", len(got), got[max(len(got)-10, 0):])
	}
	// Half a key at the end of what is looked at would not look like one.
	key := mixed(40, all)
	got = Text(strings.Repeat(key[:39]+"!", maxText/40)+key, nil, 64<<10)
	if strings.Contains(got, key[:8]) {
		t.Errorf("a part of a key is left: %q", got)
	}
	if got := Text(strings.Repeat("y", 2*maxText), nil, limit); got != "" {
		t.Errorf("one long word: %.20q", got)
	}
}

func TestControlCharactersAreTakenOut(t *testing.T) {
	if got := Text("a\nb\tc\x1b[31md\x7f\u202ee\u200bf\xffg\u2028h", nil, limit); got != "a b c[31mdef\uFFFDg h" {
		t.Errorf("%q", got)
	}
}

// No text lets a secret through, in whatever spelling it stands there.
func FuzzSecrets(f *testing.F) {
	f.Add("the key is ", "sk-abc", " and no other", uint8(0))
	f.Add("%73", "s%73", `\u0073&#115;`, uint8(3))
	f.Add("x[r", "]x", "[removed", uint8(9))
	f.Add("", "\xff\xfe", "", uint8(7))
	f.Fuzz(func(t *testing.T, before, secret, after string, form uint8) {
		if len(secret) > 1<<10 || strings.TrimSpace(secret) != secret || secret == "" || strings.ContainsAny(secret, "\r\n\x00") {
			return // which no configured secret is
		}
		forms := spelled(secret)
		names := []string{"plain", "JSON", "JSON twice", "query", "path", "percent", "unicode", "HTML", "entities", "base64", "hex", "basic"}
		name := names[int(form)%len(names)]
		text := before + forms[name] + after
		got := Text(text, []string{secret}, limit)
		if strings.Contains(got, secret) {
			t.Errorf("%q is left in %q of %q", secret, got, text)
		}
		if len(got) > limit {
			t.Errorf("%d bytes", len(got))
		}
		for _, v := range views(got) {
			if strings.Contains(lowered(v.text), lowered(secret)) {
				t.Errorf("%q can be read in %q of %q", secret, got, text)
			}
		}
	})
}
