package config

import (
	"path"
	"reflect"
	"slices"
	"strings"
)

// Path is the file of the secret, relative to the gateway's secrets directory.
func (f SecretFile) Path() string { return path.Join(f.Secret, f.Key) }

func (f SecretFile) secretFiles() []SecretFile { return []SecretFile{f} }

// SecretFiles lists what the config reads from Secrets, in whichever of its members, sorted and without repetition.
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
