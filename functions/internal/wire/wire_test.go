package wire

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// What infrastructure sets (spec.FunctionVars) is what is asked for, and nothing else. The
// secrets are read by other functions than Parts, and are checked by their own tests.
func TestMissingVariables(t *testing.T) {
	secrets := []string{spec.MongoSecretVar, spec.PseudonymSecretVar}
	for _, name := range []string{spec.Ingest, spec.Process, spec.Persist, spec.Redrive} {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, v := range spec.FunctionVars(name) {
				t.Setenv(v, "")
				if !slices.Contains(secrets, v) {
					want = append(want, "the environment variable "+v+" is not set")
				}
			}
			var err error
			if name == spec.Redrive {
				_, err = RedriveParts(t.Context())
			} else {
				_, err = Parts(t.Context(), name)
			}
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.Split(err.Error(), "\n")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("asked for\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
