package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"
)

// different is where the templates for LocalStack and AWS may differ, as
// <stack>/<logical id>/<path>, and why.
var different = []struct{ where, why string }{
	{`^(data|pipeline)/\w+/(DeletionPolicy|UpdateReplacePolicy)$`, "LocalStack's state is thrown away, AWS's is kept (setting removal)"},
	{`^pipeline/\w*Rollout\w*/`, "LocalStack has no CodeDeploy, and nothing else uses these alarms and roles"},
	{`^pipeline/\w+Alias\w+/UpdatePolicy/`, "LocalStack has no CodeDeploy: CloudFormation moves the alias itself"},
}

// What runs on LocalStack is what runs on AWS: with the same settings the templates are
// the same but for the list above.
func TestParity(t *testing.T) {
	local := maps.Clone(parity)
	local["target"] = "localstack"
	a, l := flatten(t, synth(t, parity)), flatten(t, synth(t, local))
	used := make([]bool, len(different))
	for _, path := range differences(a, l) {
		i := slices.IndexFunc(different, func(d struct{ where, why string }) bool {
			return regexp.MustCompile(d.where).MatchString(path)
		})
		if i < 0 {
			t.Errorf("%s: AWS %q, LocalStack %q", path, a[path], l[path])
			continue
		}
		used[i] = true
	}
	for i, d := range different {
		if !used[i] {
			t.Errorf("nothing differs at %s any more: take it off the list", d.where)
		}
	}
}

func differences(a, b map[string]string) []string {
	paths := make(map[string]bool)
	for path, v := range a {
		if w, ok := b[path]; !ok || v != w {
			paths[path] = true
		}
	}
	for path := range b {
		if _, ok := a[path]; !ok {
			paths[path] = true
		}
	}
	return slices.Sorted(maps.Keys(paths))
}

// flatten is every leaf of both templates' resources and outputs by its path.
func flatten(t *testing.T, s *synthesized) map[string]string {
	t.Helper()
	leaves := make(map[string]string)
	for name, tpl := range map[string]template{"data": s.data, "pipeline": s.pipeline} {
		var all map[string]any
		if err := json.Unmarshal(tpl.text, &all); err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"Resources", "Outputs"} {
			resources, _ := all[section].(map[string]any)
			for id, r := range resources {
				leave(leaves, name+"/"+id, r)
			}
		}
	}
	if len(leaves) < 500 {
		t.Fatalf("only %d leaves", len(leaves))
	}
	return leaves
}

func leave(leaves map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, w := range v {
			leave(leaves, path+"/"+k, w)
		}
		if len(v) == 0 {
			leaves[path] = "{}"
		}
	case []any:
		for i, w := range v {
			leave(leaves, fmt.Sprintf("%s/%d", path, i), w)
		}
		if len(v) == 0 {
			leaves[path] = "[]"
		}
	default:
		leaves[path] = text(v)
	}
}

// The comparison would notice a difference anywhere.
func TestParityNotices(t *testing.T) {
	a := map[string]string{"x/1": "1", "x/2": "2", "x/3": "3"}
	b := map[string]string{"x/1": "1", "x/2": "0", "x/4": "4"}
	if got := differences(a, b); !slices.Equal(got, []string{"x/2", "x/3", "x/4"}) {
		t.Errorf("%v", got)
	}
}
