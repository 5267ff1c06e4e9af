package render

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// decided are members of a pod that a template must not set, with the reason. Without these, a replica could not keep the
// contract of streams, or the Deployment would be refused.
var decided = map[string]string{
	"terminationGracePeriodSeconds": "it derives from runtime.maxStreamDuration",
	"restartPolicy":                 "the pods of a Deployment always restart",
	"activeDeadlineSeconds":         "it would cut streams",
	"ephemeralContainers":           "kubectl debug adds them to pods",
	"serviceAccountName":            "the pods' account is the service's own: add annotations and roles to that one",
	"serviceAccount":                "the pods' account is the service's own: add annotations and roles to that one",
	"nodeName":                      "pods on one node could not leave it when it is drained: use nodeSelector or affinity",
	"hostNetwork":                   "the gateway's admin port would be one of the node's",
	"hostPID":                       "it would open the node to a pod that serves clients",
	"hostIPC":                       "it would open the node to a pod that serves clients",
}

// settable are the members of the gateway's container that a template may set.
var settable = []string{
	"name", "env", "envFrom", "volumeMounts", "volumeDevices", "securityContext", "imagePullPolicy", "resizePolicy",
}

// instead says where the spec has what a template must not set of the gateway's container.
var instead = map[string]string{
	"image":     "set runtime.image",
	"resources": "set runtime.resources, from which workers and memory derive",
	"lifecycle": "the gateway drains when it is told to stop, and a hook would take some of that time",
}

// reserved are environment variables that the operator sets, or that the gateway replaces.
var reserved = regexp.MustCompile(`^(GOMEMLIMIT|GOMAXPROCS|LLMSERVICE_.*)$`)

// unreserved are those that look like one, and are a template's to set.
var unreserved = []string{delivery.EngineVariable, delivery.UpstreamClientVariable}

// ownVolumes are the names of the service's own volumes, present and future.
var ownVolumes = regexp.MustCompile(`^(` + configVolume + `|secret-[0-9a-f]{16})$`)

// templateCheck collects what is wrong with a template.
type templateCheck struct{ errs config.Errors }

func (c *templateCheck) refusef(at, format string, args ...any) {
	c.errs = append(c.errs, config.FieldError{Path: podTemplatePath + at, Message: fmt.Sprintf(format, args...)})
}

// checkPodTemplate refuses what no pod has, and what the service decides itself.
func checkPodTemplate(s *v1alpha1.LLMService) config.Errors {
	c := &templateCheck{}
	template, unknown, err := decodePodTemplate(s)
	if err != nil {
		c.refusef("", "%v", err)
	}
	if template == nil {
		return c.errs
	}
	for _, err := range unknown {
		c.refusef("", "%v", err)
	}
	c.metadata(template)
	c.pod(&template.Spec)
	for i := range template.Spec.InitContainers {
		container, at := &template.Spec.InitContainers[i], fmt.Sprintf(".spec.initContainers[%d]", i)
		if container.Name == ContainerName {
			c.refusef(at+".name", "%q is the name of the gateway's container: choose another", ContainerName)
		}
		c.sidecar(at, container)
	}
	for i := range template.Spec.Containers {
		check := c.sidecar
		if template.Spec.Containers[i].Name == ContainerName {
			check = c.ownContainer
		}
		check(fmt.Sprintf(".spec.containers[%d]", i), &template.Spec.Containers[i])
	}
	return c.errs
}

// metadata allows labels and annotations, as far as they are not the operator's.
func (c *templateCheck) metadata(template *corev1.PodTemplateSpec) {
	rest := template.ObjectMeta.DeepCopy()
	rest.Labels, rest.Annotations = nil, nil
	for _, name := range c.membersOf(".metadata", rest) {
		c.refusef(".metadata."+name, "must not be set: allowed are labels and annotations")
	}
	c.keys(".metadata.labels", template.Labels)
	c.keys(".metadata.annotations", template.Annotations)
}

func (c *templateCheck) keys(at string, all map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if isOwnKey(key) {
			c.refusef(fmt.Sprintf("%s[%s]", at, key), "must not be set: %s", whyOwnKey)
		}
	}
}

func (c *templateCheck) pod(spec *corev1.PodSpec) {
	for _, name := range c.membersOf(".spec", spec) {
		if why, ok := decided[name]; ok {
			c.refusef(".spec."+name, "must not be set: %s", why)
		}
	}
	for i := range spec.Volumes {
		if name := spec.Volumes[i].Name; ownVolumes.MatchString(name) {
			c.refusef(fmt.Sprintf(".spec.volumes[%d].name", i), "%q is the name of a volume of the gateway: choose another", name)
		}
	}
}

// ownContainer checks what is merged into the gateway's container.
func (c *templateCheck) ownContainer(at string, container *corev1.Container) {
	for _, name := range c.membersOf(at, container) {
		if slices.Contains(settable, name) {
			continue
		}
		why, ok := instead[name]
		if !ok {
			why = "allowed in the gateway's container are " + strings.Join(settable[1:], ", ")
		}
		c.refusef(at+"."+name, "must not be set: %s", why)
	}
	for i := range container.Env {
		if name := container.Env[i].Name; reserved.MatchString(name) && !slices.Contains(unreserved, name) {
			c.refusef(fmt.Sprintf("%s.env[%d].name", at, i), "%s must not be set: the operator derives it from runtime", name)
		}
	}
	own := path.Dir(delivery.Dir)
	for i := range container.VolumeMounts {
		to := path.Clean(container.VolumeMounts[i].MountPath)
		if within(to, own) || within(own, to) {
			c.refusef(fmt.Sprintf("%s.volumeMounts[%d].mountPath", at, i),
				"%s would hide files of the gateway: mount it outside of %s", to, own)
		}
	}
}

// sidecar checks a container in addition to the gateway's. All containers of a pod share its ports.
func (c *templateCheck) sidecar(at string, container *corev1.Container) {
	for i, port := range container.Ports {
		taken := port.Name == portNameHTTP || port.Name == portNameAdmin ||
			port.ContainerPort == delivery.Port || port.ContainerPort == delivery.AdminPort
		if taken {
			c.refusef(fmt.Sprintf("%s.ports[%d]", at, i), "the gateway has the ports %d and %d, and the names %s and %s: choose others",
				delivery.Port, delivery.AdminPort, portNameHTTP, portNameAdmin)
		}
	}
}

// membersOf lists the members that a value sets, sorted.
func (c *templateCheck) membersOf(at string, value any) []string {
	content, err := asJSON(value)
	if err != nil {
		c.refusef(at, "%v", err)
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(content)), func(name string) bool {
		object, ok := content[name].(map[string]any)
		return ok && len(object) == 0 // as encoders write the zero value of a struct
	})
}

// within reports whether a file is a directory or below it.
func within(file, directory string) bool {
	return file == directory || strings.HasPrefix(file, strings.TrimSuffix(directory, "/")+"/")
}
