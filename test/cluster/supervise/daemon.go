package supervise

// Daemon is a program that runs as long as the cluster does.
type Daemon struct {
	Name string // also of its log
	Path string
	Args []string
	// Namespaces are those that it gets for itself, as flags of clone(2).
	Namespaces uintptr
}
