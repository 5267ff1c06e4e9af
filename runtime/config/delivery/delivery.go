// Package delivery is how a config reaches a gateway, and what else the operator's pod and the gateway's process have to agree
// on: files, ports, workers and the figures of a drain.
package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

// The way from the operator to the gateway: a ConfigMap of two keys, mounted as a directory of two files.
const (
	// CurrentKey holds the config that the gateway shall serve.
	CurrentKey = "current"
	// LastGoodKey holds the config to serve if a gateway cannot load the current one.
	LastGoodKey = "lastGood"
)

// ConfigMapName is the ConfigMap of a service for this contract version; another version has another name, so
// that operator and gateway may differ by a release.
func ConfigMapName(service string) string { return service + configInfix + config.Version }

// OfAnyVersion says that a name is that of a service's ConfigMap for this or another contract version.
func OfAnyVersion(service, name string) bool {
	version, ok := strings.CutPrefix(name, service+configInfix)
	return ok && strings.HasPrefix(version, "v")
}

const configInfix = "-config-"

// Where the gateway's files and listeners are: the operator renders what the gateway's defaults say.
const (
	// Dir is where the ConfigMap is mounted.
	Dir = "/etc/llmservice/config"
	// SecretsDir is where the Secrets are mounted, one directory each.
	SecretsDir = "/etc/llmservice/secrets" //nolint:gosec // a path is not a credential
	// Port serves the API.
	Port = 8080
	// AdminPort serves probes, report.StatusPath and report.MetricsPath.
	AdminPort = 9090
)

// Revision names the bytes of an encoded config: equal bytes have equal revisions.
func Revision(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:6])
}
