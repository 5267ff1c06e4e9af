package scenario

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/test/apiserver"
)

// One in 280 of the hashes that tags are cut from begins with twelve digits, and helm's --set reads those as a number.
func TestATagOfDigitsAloneIsInstalled(t *testing.T) {
	assets, err := apiserver.Assets()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"template", Release, filepath.Join("../..", Chart)},
		imageArgs("example.com/manager:685987786793", "example.com/gateway:000000000012")...)
	rendered, err := exec.CommandContext(t.Context(), filepath.Join(assets, "helm"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, rendered)
	}
	for _, image := range []string{"example.com/manager:685987786793", "example.com/gateway:000000000012"} {
		if !strings.Contains(string(rendered), image+"\n") && !strings.Contains(string(rendered), image+`"`) {
			t.Errorf("no container of %s", image)
		}
	}
}
