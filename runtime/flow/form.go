package flow

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"unicode/utf8"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/form"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
)

// form reads a body that is a form: its fields, converted as the schema demands, and its files.
func (in *input) form(ctx context.Context, env *Environment, req *relay.Request) (any, []problem.Violation, error) {
	media := req.Header.Get("Content-Type")
	if len(req.Body) == 0 {
		media = form.URLEncoded // a form without fields, whatever it says that it is
	}
	if err := in.admitForm(ctx, media, req); err != nil {
		return nil, nil, err
	}
	return check(ctx, env, len(req.Body), func() (any, []problem.Violation, error) {
		sent, err := form.Read(ctx, media, req.Body)
		if err != nil {
			return nil, nil, unreadable(err)
		}
		return in.formValues(ctx, sent)
	})
}

// unreadable is what a client gets for a body that is not a form.
func unreadable(err error) error {
	if e, ok := errors.AsType[*form.Error](err); ok {
		return problem.New(problem.MalformedForm).WithMessage("The form cannot be read: " + e.Reason + ".")
	}
	if errors.Is(err, form.ErrMediaType) {
		return problem.WrongMediaType(form.Multipart + " or " + form.URLEncoded)
	}
	return err
}

// admitForm reserves the memory of what is read of a form that was not reserved when its body was read.
func (in *input) admitForm(ctx context.Context, media string, req *relay.Request) error {
	size := form.Size(media, req.Body)
	for i := range in.files {
		if in.files[i].Encoding == config.FileBase64 {
			size += base64.StdEncoding.EncodedLen(len(req.Body))
			break
		}
	}
	return admitBody(ctx, req, size, "The form holds more than this replica has memory for.")
}

// formValues are the fields and files of a form as templates see them.
func (in *input) formValues(ctx context.Context, sent form.Fields) (any, []problem.Violation, error) {
	values := map[string][]schema.Sent{}
	for name, all := range sent {
		for _, v := range all {
			if !v.File.IsUnchosen() {
				values[name] = append(values[name], schema.Sent{Text: v.Text, IsFile: v.File != nil})
			}
		}
	}
	body, wrong, err := in.fields.Check(ctx, values)
	if err != nil || len(wrong) > 0 {
		return nil, wrong, err //nolint:wrapcheck // it is the reason why ctx has ended
	}
	for i := range in.files {
		f := &in.files[i]
		value, violations, err := fileValue(f, filesOf(sent[f.Name]))
		if err != nil {
			return nil, nil, err
		}
		if wrong = append(wrong, violations...); value != nil {
			body[f.Name] = value
		}
	}
	if len(wrong) > 0 {
		return nil, wrong, nil
	}
	return body, nil, nil
}

// filesOf are the files that a client has chosen for a field.
func filesOf(values []form.Value) []*form.File {
	var files []*form.File
	for _, v := range values {
		if v.File != nil && !v.File.IsUnchosen() {
			files = append(files, v.File)
		}
	}
	return files
}

// fileValue is what templates see of the files of one field: a list of them, or the last, or nothing.
func fileValue(f *config.FormFile, files []*form.File) (any, []problem.Violation, error) {
	if f.MaxItems == 0 {
		if len(files) == 0 {
			return nil, nil, nil
		}
		return oneFile(f, files[len(files)-1], f.Name)
	}
	list := make([]any, len(files))
	var wrong []problem.Violation
	for i, file := range files {
		value, violations, err := oneFile(f, file, f.Name, i)
		if err != nil {
			return nil, nil, err
		}
		list[i], wrong = value, append(wrong, violations...)
	}
	return list, wrong, nil
}

func oneFile(f *config.FormFile, file *form.File, at ...any) (any, []problem.Violation, error) {
	if f.MaxBytes > 0 && len(file.Content) > f.MaxBytes {
		message := fmt.Sprintf("The file %q is over the limit of %d bytes.", f.Name, f.MaxBytes)
		return nil, nil, problem.New(problem.PayloadTooLarge).WithMessage(message)
	}
	value := map[string]any{"filename": file.Name, "contentType": file.ContentType, "size": int64(len(file.Content))}
	switch {
	case f.Encoding == config.FileBase64:
		value[f.Member()] = inBase64(file.Content)
	case !utf8.ValidString(file.Content):
		return nil, []problem.Violation{schema.NotUnicode(at...)}, nil
	default:
		value[f.Member()] = file.Content
	}
	return value, nil, nil
}

// chunk is how much of a file is encoded before others get a turn: whole groups of three bytes.
const chunk = 24 << 10

// inBase64 encodes a file without another copy of it.
func inBase64(content string) string {
	var b strings.Builder
	b.Grow(base64.StdEncoding.EncodedLen(len(content)))
	buffer := make([]byte, 0, base64.StdEncoding.EncodedLen(chunk))
	for len(content) > 0 {
		n := min(chunk, len(content))
		b.Write(base64.StdEncoding.AppendEncode(buffer, []byte(content[:n])))
		content = content[n:]
		goruntime.Gosched()
	}
	return b.String()
}
