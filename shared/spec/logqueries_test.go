package spec

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every log query that the table of alarms sends people to exists.
func TestLogQueriesOfDiagnoses(t *testing.T) {
	var names []string
	for _, q := range LogQueries(ARM64) {
		names = append(names, q.Name)
		if len(q.Functions) == 0 || q.Text == "" || slices.Contains(names[:len(names)-1], q.Name) {
			t.Errorf("%q: without functions or text, or there twice", q.Name)
		}
	}
	named := 0
	for _, a := range Alarms {
		for _, text := range slices.Concat(a.Diagnose, a.Fix) {
			for _, m := range regexp.MustCompile(`log query "([^"]+)"`).FindAllStringSubmatch(text, -1) {
				named++
				if !slices.Contains(names, m[1]) {
					t.Errorf("%s names the log query %q, there are %q", a.Name, m[1], names)
				}
			}
		}
	}
	if named < 5 {
		t.Errorf("only %d mentions were found", named)
	}
}

func TestCostQueryHasThePriceOfTheArchitecture(t *testing.T) {
	for architecture, price := range map[string]string{ARM64: arm64GBSecond, AMD64: amd64GBSecond} {
		for _, q := range LogQueries(architecture) {
			if q.Name == QueryCost && strings.Count(q.Text, price) != 2 {
				t.Errorf("%s: no %s in %s", architecture, price, q.Text)
			}
		}
	}
}
