package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// alarmNames are the properties of the template's alarms of a type by their names.
func (s *synthesized) alarmNames(t *testing.T, kind string) map[string]map[string]any {
	t.Helper()
	found := make(map[string]map[string]any)
	for id, r := range s.pipeline.of(kind) {
		name, _ := r.Properties["AlarmName"].(string)
		if name == "" || found[name] != nil {
			t.Errorf("%s: an alarm without a name of its own: %q", id, name)
		}
		found[name] = r.Properties
	}
	return found
}

// rows of the table that a variation has a use for, written down here once more: what the
// table needs against what the variation is.
func (s *synthesized) rows(name string) map[string]spec.Alarm {
	have := map[spec.Need]bool{
		spec.NeedsNothing: true, spec.NeedsMongo: true, spec.NeedsTopics: true, spec.NeedsKafka: name != "aws",
		spec.NeedsMSK: name == "aws-msk" || name == "aws-express",
	}
	rows := make(map[string]spec.Alarm)
	for _, a := range spec.Alarms {
		for _, stage := range a.Stages {
			if have[a.Needs] {
				rows[stage+" "+a.Name] = a
			}
		}
	}
	return rows
}

// Each row of the table has its alarm in the template, with exactly its numbers, and each
// alarm of the template is a row of the table.
func TestAlarmsAreTheTable(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		metric := s.alarmNames(t, "AWS::CloudWatch::Alarm")
		composite := s.alarmNames(t, "AWS::CloudWatch::CompositeAlarm")
		env := s.deployment.Settings.Env
		for row, a := range s.rows(name) {
			stage, _, _ := strings.Cut(row, " ")
			var rule []string
			for _, c := range a.When {
				alarm := spec.ConditionName(env, stage, a.Name, c.Name)
				rule = append(rule, `ALARM("`+alarm+`")`)
				s.checkMetricAlarm(t, name, metric[alarm], stage, a, c)
				delete(metric, alarm)
			}
			if len(a.When) > 1 {
				whole := spec.AlarmName(env, stage, a.Name)
				if got, want := composite[whole]["AlarmRule"], strings.Join(rule, " AND "); got != want {
					t.Errorf("%s: %s: rule %v, want %s", name, whole, got, want)
				}
				checkDescription(t, whole, composite[whole], a)
				delete(composite, whole)
			}
		}
		for _, p := range s.pagers(name) {
			delete(composite, spec.PagerName(env, p.stage, p.severity))
		}
		delete(metric, spec.ResourceName(env, deployingAlarm))
		for _, f := range spec.Functions() { // they page nobody, and roll a deployment back
			delete(metric, spec.ResourceName(env, f)+"-rollout-errors")
		}
		if len(metric)+len(composite) > 0 {
			t.Errorf("%s: alarms that no row of the table has: %v %v", name, slices.Sorted(maps.Keys(metric)), slices.Sorted(maps.Keys(composite)))
		}
	}
}

func (s *synthesized) checkMetricAlarm(t *testing.T, variation string, got map[string]any, stage string, a spec.Alarm, c spec.Condition) {
	t.Helper()
	scope := spec.Scope{Stage: stage, Period: c.Period, Values: s.deployment.Thresholds}
	env, cluster := s.deployment.Settings.Env, map[string]string{"aws-msk": "events", "aws-express": "millrace-dev-kafka"}[variation]
	want := map[string]any{
		"AlarmName": spec.ConditionName(env, stage, a.Name, c.Name), "AlarmDescription": got["AlarmDescription"],
		"ComparisonOperator": string(c.Compare), "Threshold": c.Limit(scope), "EvaluationPeriods": float64(c.N), "DatapointsToAlarm": float64(c.M),
		"TreatMissingData": string(c.Missing),
	}
	if c.LowSamples != "" {
		want["EvaluateLowSampleCountPercentile"] = string(c.LowSamples)
	}
	dimensions := func(series spec.Series) []any {
		var list []any
		for _, d := range series.Dimensions(env, cluster) {
			list = append(list, map[string]any{"Name": d.Name, "Value": d.Value})
		}
		return list
	}
	q := spec.Render(c.Value, scope)
	if q.Math == "" {
		series := q.Series[0]
		want["Namespace"], want["MetricName"], want["Period"], want["Dimensions"] = series.Namespace, series.Metric, c.Period.Seconds(), dimensions(series)
		key := "Statistic"
		if series.Stat == spec.P99 {
			key = "ExtendedStatistic"
		}
		want[key] = string(series.Stat)
	} else {
		metrics := []any{map[string]any{"Id": "value", "Expression": q.Math, "Label": c.Label, "ReturnData": true}}
		for i, series := range q.Series {
			metrics = append(metrics, map[string]any{"Id": fmt.Sprintf("m%d", i+1), "ReturnData": false, "MetricStat": map[string]any{
				"Metric": map[string]any{"Namespace": series.Namespace, "MetricName": series.Metric, "Dimensions": dimensions(series)},
				"Period": c.Period.Seconds(), "Stat": string(series.Stat),
			}})
		}
		want["Metrics"] = metrics
	}
	delete(got, "Tags")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: %s (-table +template):\n%s", variation, want["AlarmName"], d)
	}
	checkDescription(t, want["AlarmName"].(string), got, a)
}

// checkDescription: it is the page of the table, and fits (PutMetricAlarm,
// AlarmDescription: 1,024 characters).
func checkDescription(t *testing.T, name string, got map[string]any, a spec.Alarm) {
	t.Helper()
	text, _ := got["AlarmDescription"].(string)
	if n := utf8.RuneCountInString(text); n == 0 || n > spec.MaxPage {
		t.Errorf("%s: a description of %d characters", name, n)
	}
	for _, part := range []string{
		a.Meaning, "Run first: " + a.Command, "#dashboards/dashboard/millrace-dev-operations", "#logsV2:log-groups/log-group/", "docs/ALARMS.md#" + a.Name,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%s: no %q in the description:\n%s", name, part, text)
		}
	}
}

// A threshold of the deployment is the threshold of the alarm, and in its text.
func TestThresholdsAreSettings(t *testing.T) {
	s := synth(t, variations["aws-self"])
	got := s.alarmNames(t, "AWS::CloudWatch::Alarm")["millrace-dev-ingest-consumer-lag-high"]
	if got["Threshold"] != 20_000.0 || !strings.Contains(got["AlarmDescription"].(string), "> 20000 records") {
		t.Errorf("lagHigh=20000: %s", text(got))
	}
	if n := len(s.deployment.Thresholds); n != 1 {
		t.Errorf("%d thresholds", n)
	}
}

// What an alarm reads must exist in the template: a queue, a topic or a function of that
// name, or a stage that emits the metric. On another name it never fires.
func TestAlarmsReadWhatIsThere(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		for id, r := range s.pipeline.of("AWS::CloudWatch::Alarm") {
			if strings.Contains(id, "Rollout") || strings.HasSuffix(r.Properties["AlarmName"].(string), "-"+deployingAlarm) {
				continue // TestRollout, TestDeploying
			}
			metrics := []any{r.Properties}
			for _, m := range list(r.Properties["Metrics"]) {
				if stat := at(m, "MetricStat", "Metric"); stat != nil {
					metrics = append(metrics, stat)
				}
			}
			for _, m := range metrics {
				if at(m, "MetricName") != nil {
					s.checkMetric(t, name+": "+id, at(m, "Namespace"), at(m, "MetricName"), list(at(m, "Dimensions")))
				}
			}
		}
	}
}

// checkMetric finds what emits a metric.
func (s *synthesized) checkMetric(t *testing.T, where string, namespace, metric any, dimensions []any) {
	t.Helper()
	values := make(map[any]any)
	for _, d := range dimensions {
		values[at(d, "Name")] = at(d, "Value")
	}
	of := map[any]struct{ dimension, kind, property string }{
		spec.AWSSQS:    {"QueueName", "AWS::SQS::Queue", "QueueName"},
		spec.AWSSNS:    {"TopicName", "AWS::SNS::Topic", "TopicName"},
		spec.AWSLambda: {"FunctionName", "AWS::Lambda::Function", "FunctionName"},
	}
	switch emitter, aws := of[namespace]; {
	case aws:
		if len(values) != 1 || !slices.ContainsFunc(slices.Collect(maps.Values(s.pipeline.of(emitter.kind))), func(r resource) bool {
			return r.Properties[emitter.property] == values[emitter.dimension]
		}) {
			t.Errorf("%s: %v of %v: there is none", where, metric, values)
		}
	case namespace == spec.AWSKafka:
		if values["Cluster Name"] == nil || values["Cluster Name"] == "" {
			t.Errorf("%s: %v of %v", where, metric, values)
		}
	default:
		m, ok := spec.MetricByName(metric.(string))
		stage, _ := values[spec.DimensionStage].(string)
		if namespace != spec.Namespace || !ok || !m.EmittedBy(stage) || len(values) != len(spec.Dimensions) ||
			values[spec.DimensionService] != spec.Service || values[spec.DimensionEnv] != s.deployment.Settings.Env {
			t.Errorf("%s: nobody emits %v %v with %v", where, namespace, metric, values)
		}
	}
}

// The names of alarms that an MSK cluster's own metrics have need its name, and brokers.
func TestClusterName(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:kafka:eu-west-1:123456789012:cluster/orders/6357e0b2-0e6a-4b86-a0b4-70df934c2e31-5":  "orders",
		"arn:aws:kafka:eu-west-1:123456789012:cluster/orders/6357e0b2-0e6a-4b86-a0b4-70df934c2e31-s2": "",
	} {
		d, err := spec.LoadDeployment(map[string]any{"kafka": "msk", "kafkaClusterArn": arn})
		if err != nil {
			t.Fatal(err)
		}
		if got := (&Pipeline{o: &Options{Deployment: d}}).clusterName(); got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
}

// Outside of the cluster's VPC monitor cannot ask MSK: an alarm on what it would measure
// would be in ALARM for ever.
func TestNoAlarmOnWhatIsNotMeasured(t *testing.T) {
	d, err := spec.LoadDeployment(map[string]any{"kafka": "msk", "kafkaClusterArn": testCluster})
	if err != nil {
		t.Fatal(err)
	}
	a := &alarms{o: &Options{Deployment: d}}
	for name, blind := range map[string]bool{
		"kafka-unreachable": true, "consumer-lag-high": true, "kafka-stalled": true, "throughput-floor": true, "kafka-broker-down": true,
		"kafka-failed": false, "store-unreachable": false, "kafka-no-controller": false,
	} {
		row, ok := spec.AlarmByName(name)
		if got := a.blind(row); !ok || got != blind {
			t.Errorf("%s: left out %v, want %v", name, got, blind)
		}
	}
	a.o.Deployment.VPC = testVPC
	for _, row := range spec.Alarms {
		if a.blind(row) {
			t.Errorf("%s is left out with a VPC", row.Name)
		}
	}
}

// On LocalStack a test need not wait for hours.
func TestAlarmShorten(t *testing.T) {
	context := maps.Clone(variations["localstack"])
	context["alarmShorten"] = "60"
	s := synth(t, context)
	got := s.alarmNames(t, "AWS::CloudWatch::Alarm")["millrace-dev-persist-breaker-open"]
	c := spec.ShortenPeriod(time.Minute, 60)
	if got["Period"] != c.Seconds() || c >= time.Minute || !strings.Contains(got["AlarmDescription"].(string), "5 of 5 periods of 10 seconds") {
		t.Errorf("%s", text(got))
	}
}
