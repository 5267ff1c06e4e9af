module github.com/llmservice/llmservice/runtime/schema/testdata/suite

go 1.26.5

require github.com/kaptinlin/jsonschema v0.9.7
