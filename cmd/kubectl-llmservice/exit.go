package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes are those of diff and grep: 1 is an answer, and 2 is that there is none.
const (
	exitFound  = 1
	exitFailed = 2
)

// errFound says that a check found something, which it has printed itself.
var errFound = errors.New("see above")

// exitCode is that of the whole command.
func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFound):
		return exitFound
	}
	return exitFailed
}

// requireFile makes -f required. The command has defined it.
func requireFile(cmd *cobra.Command) {
	if err := cmd.MarkFlagRequired("filename"); err != nil {
		panic(err)
	}
}

// fileFlags define -f and -R.
func fileFlags(cmd *cobra.Command, files *[]string, recursive *bool) {
	const usage = "manifest, directory of manifests, or - for the standard input; may be repeated"
	cmd.Flags().StringSliceVarP(files, "filename", "f", nil, usage)
	cmd.Flags().BoolVarP(recursive, "recursive", "R", false, "read the directories below a directory, too")
	requireFile(cmd)
}

// outputFlag defines -o with its values, the first of which is the default.
func outputFlag(cmd *cobra.Command, to *string, values ...string) {
	choiceFlag(cmd, to, "output", "o", "format of the output", values...)
}

// choiceFlag defines a flag that has one of a few values, and completes them.
func choiceFlag(cmd *cobra.Command, to *string, name, short, usage string, values ...string) {
	last := len(values) - 1
	cmd.Flags().StringVarP(to, name, short, values[0], usage+": "+strings.Join(values[:last], ", ")+" or "+values[last])
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is defined above
	}
}

// oneOf is an error unless a flag has one of its values.
func oneOf(flag, value string, values ...string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return fmt.Errorf("--%s: %q, want one of %s", flag, value, strings.Join(values, ", "))
}
