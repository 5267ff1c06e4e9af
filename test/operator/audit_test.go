package operator

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// audited is the group of the users whose requests the API server logs. All others would fill the disk.
const audited = "test:audited"

const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: [` + audited + `]
- level: None
`

// auditLog is the file that the API server writes.
var auditLog string

// configureAudit has the API server log the requests of some users, without their bodies.
func configureAudit(arguments *envtest.Arguments, directory string) error {
	policy := filepath.Join(directory, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return fmt.Errorf("write the audit policy: %w", err)
	}
	auditLog = filepath.Join(directory, "audit.log")
	arguments.Set("audit-policy-file", policy).Set("audit-log-path", auditLog).Set("audit-log-maxsize", "512")
	return nil
}

// audit is a request in the API server's log.
type audit struct {
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Verb      string `json:"verb"`
	URI       string `json:"requestURI"`
	ObjectRef struct {
		Group       string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Status struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"responseStatus"`
}

// auditsOf reads the requests of a user.
func auditsOf(t *testing.T, username string) []audit {
	t.Helper()
	file, err := os.Open(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var found []audit
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one audit
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if one.User.Username == username {
			found = append(found, one)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// right is one verb of one resource, in a namespace or in all, for one name or for all.
type right struct{ namespace, group, resource, name, verb string }

func (r right) String() string {
	text := r.verb + " " + r.resource
	if r.group != "" {
		text += "." + r.group
	}
	if r.name != "" {
		text += " " + r.name
	}
	if r.namespace != "" {
		text += " in " + r.namespace
	}
	return text
}

// rightsOf are all that the rules give.
func rightsOf(namespace string, rules []rbacv1.PolicyRule) []right {
	var rights []right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, name := range names {
					for _, verb := range rule.Verbs {
						rights = append(rights, right{namespace, group, resource, name, verb})
					}
				}
			}
		}
	}
	return rights
}

// usedBy reports whether a request needed the right. One that applies an object that was not there needs the right to create it.
func (r right) usedBy(sent *audit) bool {
	resource := sent.ObjectRef.Resource
	if sent.ObjectRef.Subresource != "" {
		resource += "/" + sent.ObjectRef.Subresource
	}
	verbs := []string{sent.Verb}
	if sent.Verb == "patch" && sent.Status.Code == http.StatusCreated {
		verbs = append(verbs, "create")
	}
	return sent.Status.Code != http.StatusForbidden && slices.Contains(verbs, r.verb) &&
		r.group == sent.ObjectRef.Group && r.resource == resource &&
		(r.namespace == "" || r.namespace == sent.ObjectRef.Namespace) && (r.name == "" || r.name == sent.ObjectRef.Name)
}
