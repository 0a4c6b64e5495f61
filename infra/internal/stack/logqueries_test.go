package stack

import (
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Every query of the table is saved, over log groups that exist.
func TestLogQueries(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		groups := make(map[any]bool)
		for _, g := range s.pipeline.of("AWS::Logs::LogGroup") {
			groups[g.Properties["LogGroupName"]] = true
		}
		saved := make(map[any]map[string]any)
		for _, q := range s.pipeline.of("AWS::Logs::QueryDefinition") {
			saved[q.Properties["Name"]] = q.Properties
		}
		queries := spec.LogQueries(s.deployment.Architecture)
		if len(saved) != len(queries) {
			t.Errorf("%s: %d queries are saved, there are %d", name, len(saved), len(queries))
		}
		for _, q := range queries {
			p := saved["millrace-dev-logs/"+q.Name]
			if p["QueryString"] != q.Text {
				t.Errorf("%s: %s is %v", name, q.Name, p["QueryString"])
			}
			read := list(p["LogGroupNames"])
			if len(read) != len(q.Functions) {
				t.Errorf("%s: %s reads %v", name, q.Name, read)
			}
			for _, g := range read {
				if !groups[g] || !strings.HasPrefix(g.(string), "/aws/lambda/millrace-dev-") {
					t.Errorf("%s: %s reads %v, which no function writes", name, q.Name, g)
				}
			}
		}
	}
}
