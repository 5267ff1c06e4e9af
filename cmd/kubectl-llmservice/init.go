package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/llmservice/llmservice/config/samples"
)

// start is the template of somebody who begins.
//
//go:embed start.yaml
var start string

// startTemplate is the name of start among the templates; the others are samples.
const startTemplate = "start"

const initLong = `Write a manifest with comments to the standard output, as a start for your own.

The template start explains the fields that most services need. The others are the samples of the project, such as
chat, rag or agent: each shows one way to answer requests.`

func initCommand() *cobra.Command {
	template := ""
	cmd := &cobra.Command{
		Use:   "init [NAME]",
		Short: "Write a manifest with comments, as a start for your own",
		Long:  initLong,
		Example: `  kubectl llmservice init assistant > assistant.yaml
  kubectl llmservice init support --template agent > support.yaml`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return writeTemplate(cmd.Context(), cmd.OutOrStdout(), template, name)
		},
	}
	choiceFlag(cmd, &template, "template", "", "what to begin with", templates()...)
	return cmd
}

func templates() []string { return append([]string{startTemplate}, samples.Names()...) }

// nameLine is where a template has its name.
var nameLine = regexp.MustCompile(`(?m)^(  name: )\S+$`)

// writeTemplate writes a template, with the name if there is one, once it is known to be valid.
func writeTemplate(ctx context.Context, out io.Writer, template, name string) error {
	if err := oneOf("template", template, templates()...); err != nil {
		return err
	}
	text := start
	if template != startTemplate {
		text = samples.Text(template)
	}
	if name != "" {
		at := nameLine.FindStringSubmatchIndex(text)
		text = text[:at[3]] + name + text[at[1]:]
	}
	if _, found := readServices(ctx, manifestFile{"NAME", []byte(text)}); found.Errors > 0 {
		return fmt.Errorf("%s", found.Findings[0].text())
	}
	_, err := io.WriteString(out, text)
	return err
}
