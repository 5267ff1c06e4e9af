package config

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxBytes bounds one encoded config: a ConfigMap holds two of them, and 1 MiB in all.
const MaxBytes = 450 << 10

// ErrVersion marks a document of another contract version.
var ErrVersion = errors.New("unsupported config version")

// Encode writes the config deterministically: equal configs have equal bytes. It failsif the result is
// larger than MaxBytes.
func Encode(c *Config) ([]byte, error) {
	encoded, err := json.Marshal(c, json.Deterministic(true), jsontext.CanonicalizeRawInts(true))
	if err != nil {
		return nil, fmt.Errorf("encode config: %w", err)
	}
	if len(encoded) > MaxBytes {
		return nil, &TooLargeError{Bytes: len(encoded)}
	}
	return encoded, nil
}

// TooLargeError says that an encoded config exceeds MaxBytes.
type TooLargeError struct{ Bytes int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the config has %d bytes, at most %d are allowed", e.Bytes, MaxBytes)
}

// Decode reads a config. It refuses another version (ErrVersion), unknown members, members given twice, and trailing data;
// whether what it reads makes sense is for the compiler to say.
func Decode(encoded []byte) (*Config, error) {
	if err := checkVersion(encoded); err != nil {
		return nil, err
	}
	var c Config
	if err := json.Unmarshal(encoded, &c, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("decode config: %w", err)
	}
	return &c, nil
}

// The version is read first and leniently: a newer document has members that this build does not know, and
// "unknown member" would hide the reason.
func checkVersion(encoded []byte) error {
	var head struct {
		Version string `json:"version"`
	}
	if err := json.UnmarshalRead(bytes.NewReader(encoded), &head); err != nil {
		return fmt.Errorf("decode config: %w", err)
	}
	if head.Version != Version {
		return fmt.Errorf("%w %q: this gateway reads %q", ErrVersion, head.Version, Version)
	}
	return nil
}
