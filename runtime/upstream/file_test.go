package upstream

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// mountedFile returns the credentials of a file system whose file /mnt/key the test writes.
func mountedFile(t *testing.T) (c *Credentials, file string) {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "mnt"), 0o700); err != nil {
		t.Fatal(err)
	}
	return NewCredentials(t.TempDir(), root), filepath.Join(root, "mnt", "key")
}

// A file with an absolute path is none below the directory of Secrets. It may be a link, as drivers and kubelets make them, whose
// target changes.
func TestAFileOfAnotherVolumeIsFollowed(t *testing.T) {
	c, file := mountedFile(t)
	synctest.Test(t, func(t *testing.T) {
		for i, value := range []string{"one", "two"} {
			target := file + "-" + value
			if err := os.WriteFile(target, []byte(value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(file)
			if err := os.Symlink(target, file); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Read("/mnt/key"); err != nil || got != value {
				t.Errorf("read %d: %q, %v", i, got, err)
			}
			time.Sleep(credentialTTL)
		}
	})
}

// What is not a file, or a large one, costs neither time nor memory, and its error names no content.
func TestWhatIsNotAFileOfAKey(t *testing.T) {
	const content = "s3cret"
	for name, tt := range map[string]struct {
		put  func(file string) error
		want string
	}{
		"absent":        {func(string) error { return nil }, "no such file or directory"},
		"a directory":   {func(file string) error { return os.Mkdir(file, 0o700) }, "is not a file"},
		"a pipe":        {func(file string) error { return syscall.Mkfifo(file, 0o600) }, "is not a file"},
		"a device":      {func(file string) error { return os.Symlink("/dev/zero", file) }, "is not a file"},
		"endless links": {func(file string) error { return os.Symlink(file, file) }, "too many levels of symbolic links"},
		"large":         {func(file string) error { return os.WriteFile(file, []byte(strings.Repeat(content, 2<<20)), 0o600) }, "has more than"},
	} {
		t.Run(name, func(t *testing.T) {
			c, file := mountedFile(t)
			if err := tt.put(file); err != nil {
				t.Fatal(err)
			}
			_, asKey := c.Read("/mnt/key")
			for _, err := range []error{asKey, c.CheckPEM("/mnt/key")} {
				if err == nil || !strings.HasPrefix(err.Error(), "read secret /mnt/key: "+tt.want) || strings.Contains(err.Error(), content) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
			}
		})
	}
}
