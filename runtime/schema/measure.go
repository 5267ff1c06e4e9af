package schema

import (
	"encoding/json"
	"math"
)

// measure takes stock of a value that is decoded already, within the limits of a body.
func measure(value any) (document, error) {
	doc := document{value: value}
	return doc, doc.add(value, 0)
}

// add counts a value at that depth.
func (d *document) add(v any, level int) error {
	d.nodes++
	if d.nodes > MaxBodyNodes {
		return tooManyNodes(MaxBodyNodes)
	}
	switch v := v.(type) {
	case nil, bool, int64, Unknown:
		return nil
	case string:
		return d.addBytes(len(v))
	case map[string]any:
		return d.addObject(v, level+1)
	case []any:
		if err := d.descend(level + 1); err != nil {
			return err
		}
		for _, item := range v {
			if err := d.add(item, level+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return d.addNumber(v)
	}
}

func (d *document) addObject(object map[string]any, level int) error {
	if len(object) > MaxObjectKeys {
		return tooManyKeys(MaxObjectKeys)
	}
	if err := d.descend(level); err != nil {
		return err
	}
	for name, member := range object {
		if err := d.addBytes(len(name)); err != nil {
			return err
		}
		if err := d.add(member, level); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) descend(level int) error {
	if level > MaxBodyDepth {
		return tooDeep(MaxBodyDepth)
	}
	d.depth = max(d.depth, level)
	return nil
}

func (d *document) addBytes(n int) error {
	d.bytes += n
	if d.bytes > MaxBodyBytes {
		return tooLong(MaxBodyBytes)
	}
	return nil
}

// addNumber accepts the numbers that a decoder or an expression may give. Those that Decode would not give are marked.
func (d *document) addNumber(v any) error {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errRange
		}
	case int, uint64:
		d.rough = true
	case json.Number:
		d.rough = true
		if _, err := number([]byte(v)); err != nil || !json.Valid([]byte(v)) {
			return errRange
		}
	default:
		return refusal("Not a JSON value")
	}
	return nil
}
