//go:build integration

package mongostore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// TestIntegrationIndexes asks the server how it finds what each filter selects: never by
// looking at all documents, never by sorting in memory, and counting without reading
// documents where the index has all that the filter asks for.
func TestIntegrationIndexes(t *testing.T) {
	s := newStore(t, Options{})
	var batch []event.Event
	for i := range 3000 {
		batch = append(batch, parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s%d","type":"kind.%03d","subject":"p%d",`+
			`"tenantid":"t%d","userid":"u%d","time":"2026-03-01T%02d:%02d:%02dZ"}`, i, i%3, i%250, i%700, i%7, i%50, i%24, i%60, i%59)))
	}
	mustWrite(t, s, batch)
	for i := range 500 {
		r := store.LeaseRequest{Event: parse(t, fmt.Sprintf(`{"specversion":"1.0","id":"l%d","source":"/s","type":"kind.%d","subject":"p%d","tenantid":"t%d","userid":"u%d"}`,
			i, i%9, i%70, i%7, i%5)), Owner: "o", Until: time.Now()}
		if _, _, _, err := s.Acquire(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	from, to := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name    string
		f       store.Filter
		covered bool // counted in the index alone
	}{
		{"all", store.Filter{}, true},
		{"tenant", store.Filter{Tenant: "t3"}, true},
		{"tenant that may be a number", store.Filter{Tenant: "7"}, true},
		{"type", store.Filter{Type: "kind.007"}, true},
		{"types", store.Filter{Type: "kind.*"}, true},
		{"subject", store.Filter{Subject: "p33"}, true},
		{"user", store.Filter{User: "u9"}, true},
		{"source", store.Filter{Source: "/s1"}, false},
		{"time", store.Filter{From: from, To: to}, true},
		{"tenant and time", store.Filter{Tenant: "t3", From: from, To: to}, true},
		{"tenant and types", store.Filter{Tenant: "t3", Type: "kind.*"}, false},
		{"tenant and user", store.Filter{Tenant: "t3", User: "u9"}, false},
		{"status", store.Filter{Status: store.Processing}, true},
		{"completed", store.Filter{Status: store.Completed}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := newCriteria(test.f, "")
			if err != nil {
				t.Fatal(err)
			}
			leased := during(c.leasedMatch(), c.lo, c.hi)
			checkPlan(t, "list leases", explainFind(t, s, collLeases, c.leasedIndex(), leased, byTime), "IXSCAN")
			if !c.stored() {
				return
			}
			matches, err := s.storedMatches(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range matches {
				m = during(m, c.lo, c.hi)
				checkPlan(t, "list", explainFind(t, s, collEvents, "", m, byTime), "IXSCAN")
				plan := explainCount(t, s, m)
				checkPlan(t, "count", plan, "SCAN")
				if test.covered && slices.Contains(plan, "FETCH") {
					t.Errorf("count reads documents: %v", plan)
				}
			}
		})
	}
	t.Run("types", func(t *testing.T) {
		plan := explain(t, s, bson.D{{Key: "distinct", Value: collEvents}, {Key: "key", Value: "type"}, {Key: "query", Value: bson.D{}}})
		checkPlan(t, "distinct", plan, "DISTINCT_SCAN")
	})
	t.Run("reset", func(t *testing.T) {
		c, _ := newCriteria(store.Filter{Status: store.Processing}, "")
		m := append(c.leasedMatch(), bson.E{Key: "until", Value: bson.D{{Key: "$lt", Value: time.Now()}}})
		checkPlan(t, "reset", explainFind(t, s, collLeases, "", m, bson.D{{Key: "until", Value: 1}}), "IXSCAN")
	})
	t.Run("counters", func(t *testing.T) {
		checkPlan(t, "counters", explainFind(t, s, collCounters, "", hourRange(1, 2, "a"), bson.D{{Key: "_id", Value: 1}}), "IXSCAN")
	})
}

func explainFind(t *testing.T, s *Store, collection, hint string, filter, sort bson.D) []string {
	t.Helper()
	find := bson.D{{Key: "find", Value: collection}, {Key: "filter", Value: filter}, {Key: "sort", Value: sort}, {Key: "limit", Value: 100}}
	if hint != "" {
		find = append(find, bson.E{Key: "hint", Value: hint})
	}
	return explain(t, s, find)
}

// explainCount is what CountDocuments does.
func explainCount(t *testing.T, s *Store, filter bson.D) []string {
	t.Helper()
	group := bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}
	return explain(t, s, bson.D{
		{Key: "aggregate", Value: collEvents},
		{Key: "pipeline", Value: bson.A{bson.D{{Key: "$match", Value: filter}}, bson.D{{Key: "$group", Value: group}}}},
		{Key: "cursor", Value: bson.D{}},
	})
}

// explain returns the stages of the plan that the server chose.
func explain(t *testing.T, s *Store, command bson.D) []string {
	t.Helper()
	var answer bson.Raw
	answer, err := s.db.RunCommand(t.Context(), bson.D{{Key: "explain", Value: command}, {Key: "verbosity", Value: "queryPlanner"}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	plan := findDocument(answer, "winningPlan")
	if plan == nil {
		t.Fatalf("no plan in %v", answer)
	}
	return stages(plan)
}

// findDocument finds the first field of a name at any level.
func findDocument(doc bson.Raw, name string) bson.Raw {
	elements, _ := doc.Elements()
	for _, e := range elements {
		var inner bson.Raw
		switch e.Value().Type {
		case bson.TypeEmbeddedDocument:
			inner = e.Value().Document()
		case bson.TypeArray:
			inner = bson.Raw(e.Value().Array())
		default:
			continue
		}
		if e.Key() == name {
			return inner
		}
		if found := findDocument(inner, name); found != nil {
			return found
		}
	}
	return nil
}

func stages(doc bson.Raw) (all []string) {
	elements, _ := doc.Elements()
	for _, e := range elements {
		if name, ok := e.Value().StringValueOK(); ok && e.Key() == "stage" {
			all = append(all, name)
		}
		switch e.Value().Type {
		case bson.TypeEmbeddedDocument:
			all = append(all, stages(e.Value().Document())...)
		case bson.TypeArray:
			all = append(all, stages(bson.Raw(e.Value().Array()))...)
		}
	}
	return all
}

func checkPlan(t *testing.T, what string, plan []string, want string) {
	t.Helper()
	if slices.Contains(plan, "COLLSCAN") || slices.Contains(plan, "SORT") || !slices.ContainsFunc(plan, func(s string) bool {
		return s == want || want == "SCAN" && (s == "IXSCAN" || s == "COUNT_SCAN")
	}) {
		t.Errorf("%s: the server's plan is %v", what, plan)
	}
}
