package openai

import (
	"fmt"

	"github.com/go-json-experiment/json"
)

// model is an entry of the list. Its creation time is 0, because none would mean anything.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func named(name string) model { return model{ID: name, Object: "model", OwnedBy: "llmservice"} }

// WriteModels implements llm.Front.
func (Dialect) WriteModels(names []string) ([]byte, error) {
	list := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list", Data: []model{}}
	for _, name := range names {
		list.Data = append(list.Data, named(name))
	}
	return described(list)
}

// WriteModel implements llm.Front.
func (Dialect) WriteModel(name string) ([]byte, error) { return described(named(name)) }

func described(models any) ([]byte, error) {
	encoded, err := json.Marshal(models)
	if err != nil {
		return nil, fmt.Errorf("describe models: %w", err)
	}
	return encoded, nil
}
