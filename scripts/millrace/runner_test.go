//go:build !integration

package main

import "testing"

// runner runs the tests; with the tag integration it ends their servers as well.
func runner(m *testing.M) *testing.M { return m }
