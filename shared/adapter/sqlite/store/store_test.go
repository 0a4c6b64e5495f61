package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
	"github.com/millrace-pipeline/millrace/shared/conformance/storetest"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashChildEnv); path != "" {
		os.Exit(crashChild(path))
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) { storetest.Run(t, freshWith(defaultLayout)) }

// TestConformanceOfManySegments: with segments of a few events, sealed every few.
func TestConformanceOfManySegments(t *testing.T) { storetest.Run(t, freshWith(tiny)) }

func freshWith(l layout) func(t *testing.T) storetest.Opener {
	return func(t *testing.T) storetest.Opener {
		path := filepath.Join(t.TempDir(), "store.db")
		return func(t *testing.T, o storetest.Options) store.Store {
			t.Helper()
			// Thousands of small writes: waiting for the disk would be most of the time.
			s, err := open(t.Context(), path, Options{Aggregate: o.Aggregate, Now: o.Now}, db.SyncNormal)
			if err != nil {
				t.Fatal(err)
			}
			s.layout = l
			return s
		}
	}
}
