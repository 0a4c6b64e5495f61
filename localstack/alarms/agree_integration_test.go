//go:build integration

package alarms

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// agree: what is deployed is what the table says, all of it and nothing else, and so is
// what docs/ALARMS.md explains.
func (d *deployment) agree(t *testing.T) {
	metric, composite, err := d.describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	left := make(map[string]types.MetricAlarm)
	for _, a := range metric {
		left[*a.AlarmName] = a
	}
	leftComposite := make(map[string]types.CompositeAlarm)
	for _, a := range composite {
		leftComposite[*a.AlarmName] = a
	}
	for _, p := range spec.Pagers(have) {
		var behind []string
		for _, a := range p.Alarms {
			behind = append(behind, spec.AlarmName(d.Env, p.Stage, a.Name))
			var conditions []string
			for _, c := range a.When {
				name := spec.ConditionName(d.Env, p.Stage, a.Name, c.Name)
				conditions = append(conditions, name)
				if m, ok := left[name]; !ok {
					t.Errorf("%s is not deployed", name)
				} else if err := d.sameCondition(m, p.Stage, c); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				delete(left, name)
			}
			if len(a.When) > 1 {
				checkComposite(t, leftComposite, spec.AlarmName(d.Env, p.Stage, a.Name), conditions, " AND ", false)
			}
		}
		d.checkPager(t, leftComposite, p, behind)
	}
	others := append(slices.Collect(maps.Keys(left)), slices.Collect(maps.Keys(leftComposite))...)
	for _, name := range others {
		if name != d.deploying() {
			t.Errorf("%s is deployed, and the table does not have it", name)
		}
	}
	d.documented(t)
}

var inAlarm = regexp.MustCompile(`ALARM\("?([^")]+)"?\)`)

// deploying is the alarm that says that a deployment runs: it pages nobody.
func (d *deployment) deploying() string { return spec.ResourceName(d.Env, "deploying") }

// checkPager checks the alarm that pages: it is any of those behind it, the muted ones
// only while no deployment runs.
func (d *deployment) checkPager(t *testing.T, all map[string]types.CompositeAlarm, p spec.Pager, behind []string) {
	t.Helper()
	name := spec.PagerName(d.Env, p.Stage, p.Severity)
	c := all[name]
	var want []string
	for _, a := range p.Alarms {
		if a.Mute == spec.MuteInDeploy {
			want = append(want, spec.AlarmName(d.Env, p.Stage, a.Name))
		}
	}
	if rule, end := aws.ToString(c.AlarmRule), ` AND (OK("`+d.deploying()+`") OR INSUFFICIENT_DATA("`+d.deploying()+`")))`; len(want) > 0 {
		begin := strings.Index(rule, "((")
		if begin < 0 || !strings.HasSuffix(rule, end) {
			t.Errorf("%s mutes nothing: %s", name, rule)
			return
		}
		rule = strings.TrimSuffix(rule, end)
		if muted := alarmsIn(rule[begin:]); !slices.Equal(muted, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s mutes %v, want %v", name, muted, want)
		}
		c.AlarmRule = &rule
		all[name] = c
	}
	checkComposite(t, all, name, behind, " OR ", true)
}

// alarmsIn a rule, sorted.
func alarmsIn(rule string) []string {
	var names []string
	for _, m := range inAlarm.FindAllStringSubmatch(rule, -1) {
		names = append(names, m[1][strings.LastIndexByte(m[1], ':')+1:])
	}
	slices.Sort(names)
	return names
}

// checkComposite checks a composite alarm against the alarms that its rule must have, and
// takes it out of the list.
func checkComposite(t *testing.T, all map[string]types.CompositeAlarm, name string, behind []string, operator string, pages bool) {
	t.Helper()
	c, ok := all[name]
	if !ok {
		t.Errorf("the composite alarm %s is not deployed", name)
		return
	}
	delete(all, name)
	got := alarmsIn(*c.AlarmRule)
	slices.Sort(behind)
	if !slices.Equal(got, behind) || strings.Count(*c.AlarmRule, operator) != len(behind)-1 {
		t.Errorf("%s is of %v by the rule %s, want %v", name, got, *c.AlarmRule, behind)
	}
	if tells := len(c.AlarmActions) > 0 && len(c.OKActions) > 0; tells != pages {
		t.Errorf("%s has the actions %v and %v", name, c.AlarmActions, c.OKActions)
	}
}

// sameCondition reports how a deployed alarm differs from its condition in the table.
func (d *deployment) sameCondition(m types.MetricAlarm, stage string, c spec.Condition) error {
	scope := c.Scope(stage, values, shorten)
	query, limit := spec.Render(c.Value, scope), c.Limit(scope)
	if len(m.AlarmActions)+len(m.OKActions) > 0 {
		return fmt.Errorf("it pages by itself: %v", m.AlarmActions)
	}
	want := fmt.Sprint(c.Compare, limit, c.N, c.M, c.Missing)
	if got := fmt.Sprint(m.ComparisonOperator, aws.ToFloat64(m.Threshold), aws.ToInt32(m.EvaluationPeriods), aws.ToInt32(m.DatapointsToAlarm), aws.ToString(m.TreatMissingData)); got != want {
		return fmt.Errorf("it is %s, want %s", got, want)
	}
	read, text, err := deployedSeries(m)
	if err != nil {
		return err
	}
	if text != query.Math {
		return fmt.Errorf("its expression is %q, want %q", text, query.Math)
	}
	var wanted []string
	for _, s := range query.Series {
		wanted = append(wanted, fmt.Sprint(s.Namespace, s.Metric, s.Stat, s.Dimensions(d.Env, ""), scope.Period))
	}
	if !slices.Equal(read, wanted) {
		return fmt.Errorf("it reads %v, want %v", read, wanted)
	}
	return nil
}

// deployedSeries are what a metric alarm reads, in words, and its expression.
func deployedSeries(m types.MetricAlarm) (read []string, text string, err error) {
	one := func(namespace, metric *string, stat string, dimensions []types.Dimension, period *int32) string {
		var all []spec.Dimension
		for _, x := range dimensions {
			all = append(all, spec.Dimension{Name: *x.Name, Value: *x.Value})
		}
		order := []string{spec.DimensionService, spec.DimensionStage, spec.DimensionEnv}
		slices.SortStableFunc(all, func(a, b spec.Dimension) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
		return fmt.Sprint(aws.ToString(namespace), aws.ToString(metric), stat, all, time.Duration(aws.ToInt32(period))*time.Second)
	}
	if len(m.Metrics) == 0 {
		return []string{one(m.Namespace, m.MetricName, string(m.Statistic)+aws.ToString(m.ExtendedStatistic), m.Dimensions, m.Period)}, "", nil
	}
	byID := make(map[string]string)
	for _, q := range m.Metrics {
		switch {
		case q.Expression != nil && text != "":
			return nil, "", fmt.Errorf("several expressions: %s and %s", text, *q.Expression)
		case q.Expression != nil:
			text = *q.Expression
		default:
			byID[*q.Id] = one(q.MetricStat.Metric.Namespace, q.MetricStat.Metric.MetricName, *q.MetricStat.Stat, q.MetricStat.Metric.Dimensions, q.MetricStat.Period)
		}
	}
	for i := range len(byID) {
		read = append(read, byID[spec.ID(i)])
	}
	return read, text, nil
}

var (
	tableRow = regexp.MustCompile(`(?m)^\| \[([a-z0-9-]+)\]\(#[a-z0-9-]+\) \| (P[1-4]) \| ([a-z, -]+) \|`)
	runFirst = regexp.MustCompile("(?m)^Run first: `([^`]+)`$")
)

// documented: the page has each alarm of the table with its severity, its stages and its
// first command, and no other.
func (d *deployment) documented(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.Top, "docs", "ALARMS.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, sections := make(map[string]string), make(map[string]string)
	for _, m := range tableRow.FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = m[2] + " " + m[3]
	}
	for section := range strings.SplitSeq(string(text), "\n## ") {
		name, _, _ := strings.Cut(section, "\n")
		if m := runFirst.FindStringSubmatch(section); m != nil {
			sections[name] = m[1]
		}
	}
	wantRows, wantSections := make(map[string]string), make(map[string]string)
	for _, a := range spec.Alarms {
		wantRows[a.Name], wantSections[a.Name] = a.Severity+" "+strings.Join(a.Stages, ", "), a.Command
	}
	if !maps.Equal(rows, wantRows) {
		t.Errorf("docs/ALARMS.md lists %v, want %v", rows, wantRows)
	}
	if !maps.Equal(sections, wantSections) {
		t.Errorf("docs/ALARMS.md explains %v, want %v", sections, wantSections)
	}
}
