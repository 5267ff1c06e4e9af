package config

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
)

// Path is the file of the secret, relative to the gateway's secrets directory unless it is absolute.
func (f SecretFile) Path() string {
	if f.File.Path != "" {
		return f.File.Path
	}
	return path.Join(f.Secret, f.Key)
}

// Words name the secret in messages, as its author knows it.
func (f SecretFile) Words() string {
	if f.File.Path != "" {
		return fmt.Sprintf("file %q", f.File.Path)
	}
	return fmt.Sprintf("key %q of Secret %q", f.Key, f.Secret)
}

func (f SecretFile) secretFiles() []SecretFile {
	if f == (SecretFile{}) {
		return nil
	}
	return []SecretFile{f}
}

func (f FileSource) secretFiles() []SecretFile { return SecretFile{File: f}.secretFiles() }

// or is the file, or another one if there is none.
func (f FileSource) or(other SecretFile) SecretFile {
	if f == (FileSource{}) {
		return other
	}
	return SecretFile{File: f}
}

// SecretFiles lists the secrets that the config names, in whichever of its members, sorted and without repetition. The order is
// part of the contract: a gateway reports the files by their places in it.
func (c *Config) SecretFiles() []SecretFile {
	files := appendSecrets(nil, reflect.ValueOf(c).Elem())
	slices.SortFunc(files, func(a, b SecretFile) int { return strings.Compare(a.Path(), b.Path()) })
	return slices.Compact(files)
}

// appendSecrets adds the files that a part of a config names, itself or in what it consists of.
func appendSecrets(files []SecretFile, part reflect.Value) []SecretFile {
	switch part.Kind() {
	case reflect.Pointer:
		if !part.IsNil() {
			files = appendSecrets(files, part.Elem())
		}
	case reflect.Slice:
		if part.Type().Elem().Kind() == reflect.Uint8 {
			return files // a JSON document
		}
		for i := range part.Len() {
			files = appendSecrets(files, part.Index(i))
		}
	case reflect.Struct:
		if named, ok := reflect.TypeAssert[interface{ secretFiles() []SecretFile }](part.Addr()); ok {
			return append(files, named.secretFiles()...)
		}
		for _, member := range part.Fields() {
			files = appendSecrets(files, member)
		}
	default: // a scalar, or a map of texts
	}
	return files
}

// Files lists what the TLS of an upstream reads: certificates and private keys in PEM.
func (t *TLS) Files() []SecretFile { return appendSecrets(nil, reflect.ValueOf(t)) }
