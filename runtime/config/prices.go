package config

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Prices are what a million tokens cost, as decimal numbers in whatever currency.
type Prices struct {
	// Input and Output are those of tokens that the other two are not for; empty is 0.
	Input  string `json:"input,omitempty"`
	Output string `json:"output,omitempty"`
	// CachedInput is that of input which the upstream had kept from earlier calls; empty is Input.
	CachedInput string `json:"cachedInput,omitempty"`
	// Reasoning is that of output which the model thought with; empty is Output.
	Reasoning string `json:"reasoning,omitempty"`
}

var decimal = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?$`)

// Price reads a price; one that is empty is the other.
func Price(text, otherwise string) (float64, error) {
	text = cmp.Or(text, otherwise, "0")
	if !decimal.MatchString(text) {
		return 0, fmt.Errorf("is %q, want a decimal number of at most 9 digits on each side of the point", text)
	}
	price, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("is %q, want a decimal number: %w", text, err)
	}
	return price, nil
}
