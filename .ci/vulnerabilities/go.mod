module github.com/llmservice/llmservice/vulnerabilities

go 1.26.0

tool golang.org/x/vuln/cmd/govulncheck

// The database of https://vuln.go.dev as of a date: nothing imports it, so tidying this file would drop it.
require golang.org/x/vulndb v0.0.0-20261105234957-e22db6528018

require golang.org/x/vuln v1.9.0
require golang.org/x/mod v0.42.0 // indirect
require golang.org/x/sync v0.24.0 // indirect
require golang.org/x/sys v0.49.0 // indirect
require golang.org/x/telemetry v0.0.0-20261010193011-f71dc92da45e // indirect
require golang.org/x/tools v0.52.0 // indirect
