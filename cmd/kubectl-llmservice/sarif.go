package main

import (
	"net/url"
	"path/filepath"
	"strings"
)

// The part of SARIF 2.1.0 that findings need (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), which code hosts
// show next to the lines of a change.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		// Columns are counted as YAML's reader does: in characters, whatever their width.
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitzero"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     level           `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitzero"`
	}
	sarifPhysical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitzero"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
)

// sarifOf has a result for each finding, and never a nil list: an empty one says that the check ran and found nothing.
func sarifOf(findings []finding) *sarifLog {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: make([]sarifResult, len(findings))}
	run.Tool.Driver = sarifDriver{Name: "kubectl-llmservice", Version: clientVersion().Version}
	for _, r := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{string(r.id), sarifText{r.text}})
	}
	for i, f := range findings {
		run.Results[i] = f.sarif()
	}
	return &sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

func (f finding) sarif() sarifResult {
	var at sarifLocation
	at.Physical.Artifact.URI = fileURI(f.File)
	if f.Line > 0 {
		at.Physical.Region = &sarifRegion{f.Line, max(f.Column, 1)}
	}
	if f.Path != "" {
		at.Logical = []sarifLogical{{f.Path}}
	}
	return sarifResult{string(f.Rule), f.Level, sarifText{f.text()}, []sarifLocation{at}}
}

// fileURI is relative to the working directory for a relative path, as code hosts want it.
func fileURI(path string) string {
	slashed := filepath.ToSlash(filepath.Clean(path))
	u := url.URL{Path: slashed}
	if filepath.IsAbs(path) {
		u = url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(slashed, "/")}
	}
	return u.String()
}
