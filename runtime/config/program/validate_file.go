package program

import (
	"regexp"

	"github.com/llmservice/llmservice/runtime/config"
)

// maxFilePath bounds the path of a file, in characters.
const maxFilePath = 512

var (
	// An absolute path whose parts lead neither up nor to the directories that a kubelet swaps, which begin with two dots.
	filePath = regexp.MustCompile(`^(/\.?[-_@:+=~a-zA-Z0-9][-._@:+=~a-zA-Z0-9]*)+$`)
	// What these directories hold is not for upstreams: files of the kernel, the gateway's own, and the account's token for the
	// API server.
	notForUpstreams = regexp.MustCompile(`^/(proc|sys|dev|etc/llmservice|(var/)?run/secrets/kubernetes[.]io)(/|$)`)
)

// mountedFile checks a file that is not of a Secret.
func (v *validator) mountedFile(path string, f config.FileSource) {
	switch {
	case len(f.Path) > maxFilePath || !filePath.MatchString(f.Path):
		v.addf(path+".path", "is not the path of a file, want an absolute one of at most %d letters, digits and -._@:+=~/ whose parts "+
			"do not begin with two dots, such as /mnt/secrets-store/openai", maxFilePath)
	case notForUpstreams.MatchString(f.Path):
		v.addf(path+".path", "is below /proc, /sys, /dev, /etc/llmservice or /var/run/secrets/kubernetes.io, want another directory")
	}
}
