package main

import (
	"strings"
	"testing"

	"github.com/llmservice/llmservice/controllers/manifest"
)

// TestInit: each template is valid as it is, also by the strict reading, has comments, and takes a name.
func TestInit(t *testing.T) {
	all := templates()
	if len(all) < 10 {
		t.Fatalf("only %d templates: %v", len(all), all)
	}
	for _, template := range all {
		out, _, err := execute(t, "", "init", "my-service", "--template", template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		service, err := manifest.Load(t.Context(), []byte(out))
		if err != nil || service.Name != "my-service" || !strings.Contains(out, "#") {
			t.Errorf("%s: %v, %+v\n%s", template, err, service, out)
		}
		if _, errs, err := execute(t, out, "validate", "-f", "-", "--strict"); err != nil {
			t.Errorf("%s: %v %s", template, err, errs)
		}
		if _, _, err := execute(t, "", "init", "--template", template); err != nil {
			t.Errorf("%s without a name: %v", template, err)
		}
	}
}

// TestInitHasWhatItsCommentsOffer: what the comments of the first template say to write is valid, too.
func TestInitHasWhatItsCommentsOffer(t *testing.T) {
	text := edit(t, start,
		"    # auth: {", "    auth: {",
		"  # scaling: {", "  scaling: {",
		"  replicas: 1\n", "",
		"    response:\n      body: {text: \"${steps.answer.text}\"}", "    response: {stream: answer}")
	if out, errs, err := execute(t, text, "validate", "-f", "-", "--strict"); err != nil {
		t.Errorf("%v\n%s%s", err, out, errs)
	}
}

func TestInitRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a bad name":          {[]string{"My_Service"}, `metadata.name: "My_Service" is not valid, want a letter`},
		"a name with a line":  {[]string{"a\nb"}, "not YAML"},
		"an unknown template": {[]string{"--template", "none"}, `--template: "none", want one of start, agent`},
		"two names":           {[]string{"a", "b"}, "accepts at most 1"},
	} {
		if out, _, err := execute(t, "", append([]string{"init"}, tt.args...)...); exitCode(err) != exitFailed || !strings.Contains(err.Error(), tt.want) || out != "" {
			t.Errorf("%s: %v, want %q\n%s", name, err, tt.want, out)
		}
	}
}
