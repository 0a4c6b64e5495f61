package stack

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// testWidget is a widget of a dashboard's body.
type testWidget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title, Markdown, Region string
		Alarms                  []string
		Metrics                 [][]any
	}
}

func (s *synthesized) dashboard(t *testing.T) []testWidget {
	t.Helper()
	for _, r := range s.pipeline.of("AWS::CloudWatch::Dashboard") {
		if r.Properties["DashboardName"] != "millrace-dev-"+spec.Dashboard {
			t.Errorf("the dashboard is called %v", r.Properties["DashboardName"])
		}
		var body struct{ Widgets []testWidget }
		if err := json.Unmarshal([]byte(r.Properties["DashboardBody"].(string)), &body); err != nil {
			t.Fatal(err)
		}
		return body.Widgets
	}
	t.Fatal("there is no dashboard")
	return nil
}

// The eight panels of the second runbook, the key metrics of the first, a row for each
// stage, and the alarms on top.
func TestDashboardHasWhatTheRunbooksWant(t *testing.T) {
	for name, context := range variations {
		widgets := synth(t, context).dashboard(t)
		if w := widgets[0]; w.Type != "alarm" || w.Y != 0 || w.X != 0 {
			t.Errorf("%s: on top is a %s", name, w.Type)
		}
		for _, want := range []string{
			"Publish rate", "Publish latency", "Consumer lag", "Error rate", "Dead letters", "Circuit breaker", "Kafka health", "Executions",
			"Stored (events/s)", "Latency from arrival", "Failed attempts", "Availability", "Delivery", "Write to the event store",
		} {
			if !slices.ContainsFunc(widgets, func(w testWidget) bool {
				return strings.HasPrefix(w.Properties.Title, want) && len(w.Properties.Metrics) > 0
			}) {
				t.Errorf("%s: no panel %q", name, want)
			}
		}
		for _, s := range spec.Stages {
			i := slices.IndexFunc(widgets, func(w testWidget) bool { return w.Properties.Markdown == "## "+s.Name })
			if i < 0 || len(widgets) < i+4 || widgets[i+4].Y != widgets[i+1].Y {
				t.Errorf("%s: no row of %s", name, s.Name)
			}
		}
	}
}

// The alarms that page are all there, and exist.
func TestDashboardShowsEveryPager(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		var want []string
		for _, p := range s.pagers(name) {
			want = append(want, "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"+spec.PagerName("dev", p.stage, p.severity))
		}
		got := slices.Clone(s.dashboard(t)[0].Properties.Alarms)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(got) > 100 { // the most that an alarm widget takes
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

var mathID = regexp.MustCompile(`\b[a-z]+\d+\b`)

// Every graph shows metrics that somebody emits, in this region, and expressions over
// metrics of the same graph.
func TestDashboardReadsWhatIsThere(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		metrics := 0
		for _, w := range s.dashboard(t) {
			if w.Type != "metric" {
				continue
			}
			where := name + ": " + w.Properties.Title
			if w.Properties.Region != testRegion {
				t.Errorf("%s: region %q", where, w.Properties.Region)
			}
			ids := make(map[string]bool)
			var expressions []string
			for _, m := range w.Properties.Metrics {
				options, _ := m[len(m)-1].(map[string]any)
				if id, ok := options["id"].(string); ok {
					if ids[id] {
						t.Errorf("%s: the id %s is there twice", where, id)
					}
					ids[id] = true
				}
				if e, ok := options["expression"].(string); ok {
					expressions = append(expressions, e)
					continue
				}
				metrics++
				s.checkGraphed(t, where, m[:len(m)-1])
				if options["stat"] == nil {
					t.Errorf("%s: %v without a statistic", where, m)
				}
			}
			for _, e := range expressions {
				for _, id := range mathID.FindAllString(e, -1) {
					if !ids[id] {
						t.Errorf("%s: %s has %s, which is no metric of the graph", where, e, id)
					}
				}
			}
		}
		if metrics < 50 {
			t.Errorf("%s: only %d metrics", name, metrics)
		}
	}
}

// mskDimensions of the metrics that no alarm reads, besides the cluster (Amazon MSK
// Developer Guide, "Amazon MSK metrics for monitoring brokers with CloudWatch").
var mskDimensions = map[any]string{
	"SumOffsetLag": "[Consumer Group Topic]", "OfflinePartitionsCount": "[]", "ActiveControllerCount": "[]",
}

func (s *synthesized) checkGraphed(t *testing.T, where string, m []any) {
	t.Helper()
	var dimensions []any
	var others []string
	for i := 2; i+1 < len(m); i += 2 {
		dimensions = append(dimensions, map[string]any{"Name": m[i], "Value": m[i+1]})
		if m[i] != "Cluster Name" {
			others = append(others, m[i].(string))
		}
	}
	s.checkMetric(t, where, m[0], m[1], dimensions)
	if want, ok := mskDimensions[m[1]]; m[0] == spec.AWSKafka && (!ok || fmt.Sprint(others) != want) {
		t.Errorf("%s: MSK does not emit %v with %v", where, m[1], others)
	}
}

// No widget lies on another or beyond the edge.
func TestDashboardFits(t *testing.T) {
	taken := make(map[[2]int]string)
	for _, w := range synth(t, variations["aws-express"]).dashboard(t) {
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("%q at %d, %d: %q is there, or the edge", w.Properties.Title+w.Properties.Markdown, x, y, other)
				}
				taken[[2]int{x, y}] = w.Properties.Title + w.Properties.Markdown
			}
		}
	}
}

// MSK's own metrics are shown where there is a cluster with brokers, and only there.
func TestDashboardOfMSK(t *testing.T) {
	for name, want := range map[string]bool{"aws-msk": true, "aws-express": true, "aws-serverless": false, "aws-self": false, "aws": false} {
		found := false
		for _, w := range synth(t, variations[name]).dashboard(t) {
			for _, m := range w.Properties.Metrics {
				found = found || m[0] == spec.AWSKafka
			}
		}
		if found != want {
			t.Errorf("%s: MSK's metrics are shown: %v", name, found)
		}
	}
}
