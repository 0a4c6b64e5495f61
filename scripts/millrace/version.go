package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersion(e env, g *globalOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Print the version of this program and what it was built with.",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return runVersion(e, g) },
	}
}

type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built with changes that are not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func runVersion(e env, g *globalOptions) error {
	v := versionInfo{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Version = strings.Trim(info.Main.Version, "()") // (devel) when built without version control
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	if g.json {
		return writeJSON(e.stdout, v)
	}
	_, err := fmt.Fprintf(e.stdout, "millrace %s (%s, %s)\n", v.Version, v.Go, v.Platform)
	return err
}
