package openai

import (
	"fmt"

	"github.com/go-json-experiment/json"
)

// WriteModels implements llm.Front. The list's entries have no creation time that would mean anything: it is 0.
func (Dialect) WriteModels(names []string) ([]byte, error) {
	type entry struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	list := struct {
		Object string  `json:"object"`
		Data   []entry `json:"data"`
	}{Object: "list", Data: []entry{}}
	for _, name := range names {
		list.Data = append(list.Data, entry{ID: name, Object: "model", OwnedBy: "llmservice"})
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode the list of models: %w", err)
	}
	return encoded, nil
}
