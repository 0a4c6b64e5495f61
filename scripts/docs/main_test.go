package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPagesAreFresh(t *testing.T) {
	for name, want := range pages() {
		got, err := os.ReadFile(filepath.Join("../../docs", name))
		if err != nil || string(got) != want {
			t.Errorf("docs/%s is stale (%v): run `make docs`", name, err)
		}
	}
}
