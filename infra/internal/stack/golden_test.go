package stack

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden templates anew")

// The templates are as they were. A difference is either meant, then
// `go test ./infra/internal/stack -update` takes it over and the diff is reviewed, or not.
func TestGolden(t *testing.T) {
	for name, context := range variations {
		t.Run(name, func(t *testing.T) {
			s := synth(t, context)
			for stack, tpl := range map[string]template{"data": s.data, "pipeline": s.pipeline} {
				golden(t, filepath.Join("testdata", name+"."+stack+".json"), append(tpl.text, '\n'))
			}
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-update takes it over):\n%s", path, d)
	}
}

// A logical id that changes makes CloudFormation delete what is kept under the old one.
func TestLogicalIDsOfData(t *testing.T) {
	kept := map[string]string{
		"Key961B73FD": "AWS::KMS::Key", "KeyAlias910D852D": "AWS::KMS::Alias",
		"ClaimsE8D96B24": "AWS::S3::Bucket", "BackupDA3807AC": "AWS::S3::Bucket",
		"PseudonymKey2CD808DE": "AWS::SecretsManager::Secret", "MongoURI908755BC": "AWS::SecretsManager::Secret",
	}
	for name, context := range map[string]map[string]any{"aws": variations["aws"], "localstack": variations["localstack"]} {
		s := synth(t, context)
		for id, kind := range kept {
			if got := s.data.Resources[id].Type; got != kind {
				t.Errorf("%s: %s is %q, was %s: what is there would be deleted", name, id, got, kind)
			}
		}
	}
	for name, kind := range map[string]string{"aws-serverless": "AWS::MSK::ServerlessCluster", "aws-express": "AWS::MSK::Cluster"} {
		if got := synth(t, variations[name]).data.Resources["Kafka"].Type; got != kind {
			t.Errorf("%s: Kafka is %q, was %s", name, got, kind)
		}
	}
}
