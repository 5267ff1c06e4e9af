package webhook

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// maxBody bounds a review, which has the object and the one before. etcd takes 1.5 MiB of each, unless it is told otherwise.
	maxBody = 4 << 20
	// head is how much of a review is read for its UID and namespace, which an API server writes at its beginning.
	head = 4 << 10
)

var (
	errLarge  = fmt.Errorf("the request has more than %d MiB", maxBody>>20)
	errBroken = errors.New("the request did not arrive as a whole")
)

// body is that of a review. Its UID is known from its head, so that a review that is not read gets an answer, too.
type body struct {
	uid       types.UID
	namespace string
	reader    *bufio.Reader
	// ended lets the connection be used again.
	ended func()
}

// newBody reads the head. All reads end with the deadline.
func newBody(w http.ResponseWriter, r *http.Request, deadline time.Time) *body {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(deadline) // what a test calls without a server has none
	reader := bufio.NewReaderSize(http.MaxBytesReader(w, r.Body, maxBody), head)
	begin, _ := reader.Peek(head) // a short body has less
	uid, namespace := headOf(begin)
	return &body{uid, namespace, reader, func() { _ = control.SetReadDeadline(time.Time{}) }}
}

func (b *body) read() ([]byte, error) {
	all, err := io.ReadAll(b.reader)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errLarge
	}
	if err != nil {
		return nil, errBroken
	}
	b.ended()
	return all, nil
}

// discard reads what is left, because a client that is still sending may not read the answer.
func (b *body) discard() {
	if _, err := io.Copy(io.Discard, b.reader); err == nil {
		b.ended()
	}
}

// headOf finds the UID and the namespace of the request at the beginning of a review; they are empty if they are not there.
func headOf(begin []byte) (uid types.UID, namespace string) {
	decoder := jsontext.NewDecoder(bytes.NewReader(begin))
	eachMember(decoder, func(name string) bool {
		if name != "request" {
			return decoder.SkipValue() == nil
		}
		eachMember(decoder, func(name string) bool {
			value, err := decoder.ReadValue()
			if err != nil {
				return false
			}
			text, _ := jsontext.AppendUnquote(nil, value) // nothing of what is not a string
			switch name {
			case "uid":
				uid = types.UID(text)
			case "namespace":
				namespace = string(text)
			}
			return uid == "" || namespace == ""
		})
		return false
	})
	return uid, namespace
}

// eachMember reads an object: the function reads each member's value, and returns whether to go on.
func eachMember(decoder *jsontext.Decoder, read func(name string) bool) {
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return
	}
	for {
		name, err := decoder.ReadToken()
		if err != nil || name.Kind() != '"' || !read(name.String()) {
			return
		}
	}
}
