package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how wide help is at most, in characters.
const helpWidth = 88

// exitAnnotation names the exit codes of a command besides those that all have.
const exitAnnotation = "exit codes"

// exits annotates a command with its further exit codes.
func exits(further ...int) map[string]string {
	var s []string
	for _, code := range further {
		s = append(s, strconv.Itoa(code))
	}
	return map[string]string{exitAnnotation: strings.Join(s, " ")}
}

// exitCodes of the command, in order.
func exitCodes(c *cobra.Command) []int {
	codes := []int{exitOK, exitFailure, exitUsage}
	for _, s := range strings.Fields(c.Annotations[exitAnnotation]) {
		code, err := strconv.Atoi(s)
		if err != nil {
			panic(err) // exits wrote it
		}
		codes = append(codes, code)
	}
	return append(codes, exitInterrupted)
}

// usageLine says how to call the command.
func usageLine(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND"
	}
	return c.UseLine()
}

// writeHelp writes a command's help: what it does, how to call it, examples, flags, exit
// codes.
func writeHelp(w io.Writer, c *cobra.Command) {
	text := strings.TrimSpace(c.Long)
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", wrap(text, helpWidth), usageLine(c))
	if c.HasAvailableSubCommands() {
		fmt.Fprint(w, "\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-*s  %s\n", c.Commands()[0].NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	if c.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	writeFlags(w, "Flags", c.LocalFlags())
	if !c.HasAvailableSubCommands() {
		writeFlags(w, "Flags of every command", c.InheritedFlags())
		fmt.Fprint(w, "\nExit codes:\n")
		for _, code := range exitCodes(c) {
			fmt.Fprintf(w, "  %3d  %s\n", code, exitMeaning[code])
		}
		return
	}
	fmt.Fprintf(w, "\n`%s COMMAND --help` says more about a command.\n", c.CommandPath())
}

func writeFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s:\n%s", title, flags.FlagUsagesWrapped(helpWidth))
	}
}

// wrap breaks each line of the text at spaces so that it is at most width characters
// long. Lines that are indented stay as they are.
func wrap(text string, width int) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, " ") {
			out = append(out, line)
			continue
		}
		n := 0
		var b strings.Builder
		for _, word := range strings.Fields(line) {
			switch length := len([]rune(word)); {
			case n == 0:
				n = length
			case n+1+length > width:
				b.WriteByte('\n')
				n = length
			default:
				b.WriteByte(' ')
				n += 1 + length
			}
			b.WriteString(word)
		}
		out = append(out, b.String())
	}
	return strings.Join(out, "\n")
}
