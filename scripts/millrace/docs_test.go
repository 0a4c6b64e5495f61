package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go test -run ^TestDocs$ -update .

// TestDocs holds docs/CLI.md to the commands; with -update it writes it.
func TestDocs(t *testing.T) {
	const path = "../../docs/CLI.md"
	var b bytes.Buffer
	b.WriteString("<!-- Written by `make docs` from scripts/millrace: do not edit. -->\n# The command line\n")
	writeDocs(&b, newRoot(env{}))
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Error("docs/CLI.md is stale: run `make docs`")
	}
}

func writeDocs(b *bytes.Buffer, c *cobra.Command) {
	level := strings.Count(c.CommandPath(), " ") + 1
	if c.HasParent() {
		fmt.Fprintf(b, "\n%s %s\n", strings.Repeat("#", level), c.CommandPath())
	}
	fmt.Fprintf(b, "\n%s\n\n```\n%s\n```\n", strings.TrimSpace(c.Long), usageLine(c))
	if c.HasExample() {
		fmt.Fprintf(b, "\nExamples:\n\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	flags := c.NonInheritedFlags()
	if flags.HasAvailableFlags() {
		b.WriteString("\n| flag | default | meaning |\n|---|---|---|\n")
		flags.VisitAll(func(f *pflag.Flag) { fmt.Fprintln(b, flagRow(f)) })
	}
	if !c.HasAvailableSubCommands() {
		b.WriteString("\n| exit code | meaning |\n|---|---|\n")
		for _, code := range exitCodes(c) {
			fmt.Fprintf(b, "| %d | %s |\n", code, exitMeaning[code])
		}
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			writeDocs(b, sub)
		}
	}
}

func flagRow(f *pflag.Flag) string {
	name, usage := pflag.UnquoteUsage(f)
	if name != "" {
		name = " " + name
	}
	def := f.DefValue
	if def == "false" || def == "[]" || def == "0" {
		def = ""
	}
	if def != "" {
		def = "`" + def + "`"
	}
	return fmt.Sprintf("| `--%s%s` | %s | %s |", f.Name, name, def, strings.ReplaceAll(usage, "|", "\\|"))
}

// Every command explains itself: what it does, with an example that is one of its calls.
func TestEveryCommandHasHelp(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Long == "" || c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: long and short help are needed, the short one without a full stop", c.CommandPath())
		}
		if !c.HasAvailableSubCommands() && c.Name() != "version" && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example", c.CommandPath())
		}
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: %q", c.CommandPath(), f.Name, f.Usage)
			}
		})
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				visit(sub)
			}
		}
	}
	visit(newRoot(env{}))
}
