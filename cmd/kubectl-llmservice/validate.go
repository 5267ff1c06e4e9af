package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
)

// validate checks manifests without a cluster.
type validate struct {
	files             []string
	recursive, strict bool
	output            string
	in                io.Reader
	out, err          io.Writer
}

const validateLong = `Check LLMServices without a cluster: all that an API server refuses, including the rules of the CRD, and all
that the gateway refuses, such as schemas, expressions, references, recursion and timeouts that contradict each other.

Each finding has its file, line and column. Warnings name values that YAML reads differently from what they
look like, and members that kubectl apply may drop. Documents of other kinds are skipped.

The exit code is 0 if all is well, 1 if there are errors (with --strict, also for warnings), and 2 if the check could
not be made: a wrong flag, an unreadable file, or no LLMService at all.`

func validateCommand() *cobra.Command {
	v := &validate{}
	cmd := &cobra.Command{
		Use:   "validate -f FILE|DIRECTORY|-",
		Short: "Check manifests without a cluster",
		Long:  validateLong,
		Example: `  kubectl llmservice validate -f assistant.yaml
  kubectl llmservice validate -f deploy/ -R --strict
  kustomize build overlays/production | kubectl llmservice validate -f - -o json
  kubectl llmservice validate -f deploy/ -o sarif > llmservice.sarif`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v.in, v.out, v.err = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return v.run(cmd.Context())
		},
	}
	fileFlags(cmd, &v.files, &v.recursive)
	cmd.Flags().BoolVar(&v.strict, "strict", false, "exit with 1 for warnings, too")
	outputFlag(cmd, &v.output, "text", "json", "sarif")
	return cmd
}

func (v *validate) run(ctx context.Context) error {
	if err := oneOf("output", v.output, "text", "json", "sarif"); err != nil {
		return err
	}
	files, err := readManifests(v.files, v.recursive, v.in)
	if err != nil {
		return err
	}
	result := &checked{Findings: []finding{}}
	for _, file := range files {
		_, found := readServices(ctx, file)
		result.Services += found.Services
		result.add(found.Findings...)
	}
	if result.Services == 0 && result.Errors == 0 {
		return errNoService(v.files)
	}
	if err := result.print(v.output, v.out, v.err); err != nil {
		return err
	}
	if result.Errors > 0 || v.strict && result.Warnings > 0 {
		return errFound
	}
	return nil
}

func errNoService(files []string) error {
	return fmt.Errorf("%s: %w", strings.Join(files, ", "), manifest.ErrNone)
}

// readServices reads the services of a file, and checks each. Those that have errors are left out.
func readServices(ctx context.Context, file manifestFile) (valid []*loaded, found *checked) {
	found = &checked{}
	for m, err := range manifest.All(ctx, file.text) {
		var service *loaded
		if err == nil {
			found.add(warnings(file.name, m)...)
			service, err = compile(ctx, m, unchanged)
		}
		wrong := mistakesOf(err)
		if len(wrong) == 0 || wrong[0].Rule != manifest.RuleSyntax { // else nobody knows what it would be
			found.Services++
		}
		found.add(findingsOf(file.name, levelError, wrong)...)
		if err == nil {
			valid = append(valid, service)
		}
	}
	slices.SortStableFunc(found.Findings, func(a, b finding) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return valid, found
}

// warnings are values that a cluster may read differently from what the author means, or from what is read here.
func warnings(file string, read *manifest.Manifest) []finding {
	return findingsOf(file, levelWarning, slices.Concat(read.Doubtful, read.Nulls))
}

// mistakesOf are an error's, or one that says the same; none for nil.
func mistakesOf(err error) manifest.Mistakes {
	if all, ok := errors.AsType[manifest.Mistakes](err); ok || err == nil {
		return all
	}
	return manifest.Mistakes{{Message: err.Error(), Rule: ruleGateway}}
}

// loaded is a manifest that can be served.
type loaded struct {
	manifest *manifest.Manifest
	config   *config.Config
	encoded  []byte
}

func unchanged(*config.Config) error { return nil }

// compile makes the config of a manifest, which is then adjusted, and checks all of it. Which hosts and images an operator allows
// is known in its cluster only.
func compile(ctx context.Context, read *manifest.Manifest, adjust func(*config.Config) error) (*loaded, error) {
	if errs := render.CheckChildren(read.Service); len(errs) > 0 {
		return nil, refusal(read, errs)
	}
	contract, err := render.Contract(read.Service)
	if err != nil {
		return nil, fmt.Errorf("translate: %w", err)
	}
	if err := adjust(contract); err != nil {
		return nil, err
	}
	if err := check(ctx, read, contract); err != nil {
		return nil, err
	}
	encoded, err := config.Encode(contract)
	if err != nil {
		return nil, refusal(read, config.Errors{{Message: err.Error()}})
	}
	return &loaded{manifest: read, config: contract, encoded: encoded}, nil
}

// compileDeadline is how long a manifest may take to compile: as long as in the operator.
const compileDeadline = 10 * time.Second

// check returns the Mistakes for which a gateway would refuse a config.
func check(ctx context.Context, read *manifest.Manifest, contract *config.Config) error {
	within, cancel := context.WithTimeout(ctx, compileDeadline)
	defer cancel()
	errs, err := program.ValidateWithin(within, contract)
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("check the manifest: %w", cause)
	}
	if err != nil {
		errs = config.Errors{{Message: fmt.Sprintf(
			"takes more than %s to compile, want fewer or shorter expressions and patterns", compileDeadline)}}
	}
	if len(errs) == 0 {
		return nil
	}
	return refusal(read, errs)
}

// refusal names the manifest's fields, of which the config's are a part, and says where they stand.
func refusal(read *manifest.Manifest, errs config.Errors) manifest.Mistakes {
	all := make(manifest.Mistakes, len(errs))
	for i := range errs {
		all[i] = read.Locate(strings.TrimSuffix("spec."+errs[i].Path, "."), errs[i].Message)
		all[i].Rule = ruleGateway
	}
	return all
}
