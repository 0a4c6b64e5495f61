//go:build integration

package alarms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func TestMain(m *testing.M) { harness.Main(m) }

// shorten divides the periods of the alarms: all become the 10 s that CloudWatch has at
// least.
const shorten = 25_920

// values are the thresholds that differ from their defaults: of a backlog, to be reached
// in seconds; of throughput, for a load of 60 events a second; of latency, since functions
// of a LocalStack on a busy machine are no measure.
var values = spec.Values{
	"lagWarning": 20, "lagHigh": 50, "lagCritical": 100, "throughputBacklog": 200, "throughputFloor": 20,
	"queueAge": 5, "stalledAge": 5,
	"latencyWarning": 20_000, "latencyHigh": 30_000,
}

func settings() []string {
	all := []string{fmt.Sprintf("alarmShorten=%d", shorten)}
	for name, v := range values {
		all = append(all, name+"="+spec.FormatNumber(v))
	}
	return all
}

// have says what the deployment has until the part "an MSK cluster".
func have(n spec.Need) bool { return n != spec.NeedsMSK }

// deployment is the deployed pipeline with what the tests do with it.
type deployment struct {
	*deployed.Pipeline
	millrace *deployed.Command
	watch    *cloudwatch.Client
	pager    *pager
	schedule *schedule
	paged    map[string]bool // names of the alarms whose page has been read
}

// TestIntegrationAlarms makes every alarm of the table fire, by its cause where the
// pipeline can be given that, else by its metric. The parts run in this order. With -short
// only those run that make no causes: each alarm that can fire by its metric does.
func TestIntegrationAlarms(t *testing.T) {
	p := deployed.Get(t, settings()...)
	d := &deployment{Pipeline: p, millrace: p.Command(t), watch: cloudwatch.NewFromConfig(p.AWS), paged: make(map[string]bool)}
	d.pager = newPager(t, p)
	d.schedule = newSchedule(t, p)
	for _, part := range []struct {
		name  string
		test  func(t *testing.T)
		short bool
	}{
		{"begins quiet", d.begins, true},
		{"table, deployment and docs agree", d.agree, true},
		{"what stands still", d.standstill, false},
		{"quiet under load, on-call silent", d.quiet, false},
		{"an outage, unanswered, acknowledged", d.outage, false},
		{"bad events", d.badEvents, false},
		{"all others by their metrics", d.metrics, true},
		{"millrace alarms test", d.command, true},
		{"an MSK cluster", d.msk, true},
		{"every alarm has paged", d.complete, false},
	} {
		if testing.Short() && !part.short {
			continue
		}
		begun := time.Now()
		passed := t.Run(part.name, part.test)
		t.Logf("%-40s %s", part.name, time.Since(begun).Round(100*time.Millisecond))
		if !passed && part.name != "table, deployment and docs agree" {
			t.Fatal("the parts after it would fail for the same reason")
		}
	}
}

// begins waits until nothing fires, and on-call has seen that. Before the first run of what
// a schedule runs its silence is an alarm, but until all was well once no page goes out.
func (d *deployment) begins(t *testing.T) {
	d.awaitOver(t, 90*time.Second)
	deployed.Await(t, "on-call, armed", 30*time.Second, func(ctx context.Context) error {
		state, _, err := d.openPages(ctx)
		if err == nil && state.Armed.IsZero() {
			err = errors.New("it holds all pages")
		}
		return err
	})
	if err := d.pager.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range d.pager.pages {
		// On-call's own alarms page past it. Here its schedule, a minute long, is silence.
		if g := &d.pager.pages[i]; g.opens() && g.Millrace != nil {
			t.Errorf("a new deployment has paged: %s", g.Subject)
		}
	}
	d.pager.forget()
}

// complete: each alarm of the table has paged.
func (d *deployment) complete(t *testing.T) {
	for _, p := range spec.Pagers(func(spec.Need) bool { return true }) {
		for _, a := range p.Alarms {
			if name := spec.AlarmName(d.Env, p.Stage, a.Name); !d.paged[name] {
				t.Errorf("%s %s has not paged", p.Stage, a.Name)
			}
		}
	}
}

// states of all alarms of the deployment, by name.
func (d *deployment) states(ctx context.Context) (map[string]types.StateValue, error) {
	metric, composite, err := d.describe(ctx)
	states := make(map[string]types.StateValue, len(metric)+len(composite))
	for i := range metric {
		states[*metric[i].AlarmName] = metric[i].StateValue
	}
	for i := range composite {
		states[*composite[i].AlarmName] = composite[i].StateValue
	}
	return states, err
}

// describe all alarms of the deployment.
func (d *deployment) describe(ctx context.Context) (metric []types.MetricAlarm, composite []types.CompositeAlarm, err error) {
	prefix := spec.ResourceName(d.Env, "")
	pages := cloudwatch.NewDescribeAlarmsPaginator(d.watch, &cloudwatch.DescribeAlarmsInput{
		AlarmNamePrefix: &prefix, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		metric, composite = append(metric, out.MetricAlarms...), append(composite, out.CompositeAlarms...)
	}
	return metric, composite, nil
}

// over is nil when no pager is in ALARM and all pages that were read have ended.
func (d *deployment) over(ctx context.Context) error {
	states, err := d.states(ctx)
	if err == nil {
		err = d.pager.read(ctx)
	}
	if err != nil {
		return err
	}
	var firing []string
	for _, p := range spec.Pagers(have) {
		if name := spec.PagerName(d.Env, p.Stage, p.Severity); states[name] == types.StateValueAlarm {
			firing = append(firing, name)
		}
	}
	if len(firing) > 0 {
		return fmt.Errorf("in ALARM: %s", strings.Join(firing, ", "))
	}
	if open := d.pager.open(); len(open) > 0 {
		return fmt.Errorf("pages that have not ended: %s", strings.Join(open, ", "))
	}
	return nil
}

// awaitOver waits until nothing fires any more.
func (d *deployment) awaitOver(t *testing.T, atMost time.Duration) {
	t.Helper()
	deployed.Await(t, "the end of all alarms", atMost, d.over)
}
