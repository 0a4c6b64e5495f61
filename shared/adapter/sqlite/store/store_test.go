package store

import (
	"path/filepath"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/conformance/storetest"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func TestConformance(t *testing.T) { storetest.Run(t, fresh) }

func fresh(t *testing.T) storetest.Opener {
	path := filepath.Join(t.TempDir(), "store.db")
	return func(t *testing.T, o storetest.Options) store.Store {
		t.Helper()
		s, err := Open(t.Context(), path, Options{Aggregate: o.Aggregate, Now: o.Now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}
