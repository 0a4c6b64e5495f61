package main

import "github.com/spf13/cobra"

func newRun(e env, g *globalOptions) *cobra.Command { return &cobra.Command{Use: "run"} }
