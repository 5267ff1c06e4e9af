package v1alpha1

import (
	"bytes"
	"errors"
)

// JSON holds any JSON value as the bytes that were sent: the API server stores it without checking it.
type JSON struct {
	// Raw is the encoded value. Empty stands for null.
	Raw []byte `json:"-"`
}

// MarshalJSON returns the value's bytes.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j.Raw) == 0 {
		return []byte("null"), nil
	}
	return j.Raw, nil
}

// UnmarshalJSON keeps a copy of the bytes; the decoder has checked that they are JSON.
func (j *JSON) UnmarshalJSON(raw []byte) error {
	if j == nil {
		return errors.New("decode JSON into a nil value")
	}
	j.Raw = nil
	if !bytes.Equal(raw, []byte("null")) {
		j.Raw = bytes.Clone(raw)
	}
	return nil
}
