//go:build integration

package alarms

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// datum is a value of a metric that came so often at once.
type datum struct{ value, count float64 }

// bad are values of metrics with which the alarms on them fire: most events fail, are
// slow, and go on failing; queues and functions are at their limits.
var bad = map[string]datum{
	spec.BatchSize: {2000, 1}, spec.FailedEvents: {1800, 1}, spec.UnavailableEvents: {1800, 1}, spec.PublishFailures: {1800, 1},
	spec.EventThroughput: {2000, 1}, spec.DLQSent: {1800, 1}, spec.SlowEvents: {1900, 1}, spec.EventLatency: {60_000, 2000},
	spec.StoreLatency: {50_000, 1}, spec.PoolExhausted: {50, 1}, spec.BreakerState: {spec.BreakerOpen, 1},
	spec.UnderReplicatedPartitions: {3, 1}, spec.OfflinePartitions: {2, 1}, spec.QuarantinedLetters: {7, 1},
	"ApproximateAgeOfOldestMessage": {1_200_000, 1}, "ApproximateNumberOfMessagesVisible": {5000, 1}, "ApproximateNumberOfMessagesNotVisible": {119_000, 1},
	"Errors": {500, 1}, "Invocations": {500, 1}, "Throttles": {500, 1}, "ConcurrentExecutions": {990, 1},
	"NumberOfNotificationsFailedToRedriveToDlq": {4, 1}, "ActiveControllerCount": {0, 1},
}

// good are those that are not 0 when all is well.
var good = map[string]datum{"Invocations": {500, 1}, "Duration": {5, 500}, spec.EventLatency: {20, 500}, "ActiveControllerCount": {1, 1}}

// badOf a series.
func badOf(s spec.Series) (datum, bool) {
	if s.Metric == "Duration" {
		return datum{0.97 * float64(spec.FunctionTimeout(s.Stage)/time.Millisecond), 1000}, true
	}
	v, ok := bad[s.Metric]
	return v, ok
}

// read a datum as a series does.
func (v datum) read(stat spec.Statistic) float64 {
	switch stat {
	case spec.Sum:
		return v.value * v.count
	case spec.Samples:
		return v.count
	default:
		return v.value
	}
}

// breaches says whether all conditions of the alarm do with the bad values.
func (x *target) breaches() bool {
	for _, c := range x.alarm.When {
		scope := c.Scope(x.stage, values, shorten)
		v, ok := spec.Eval(c.Value, scope, func(s spec.Series) (float64, bool) {
			v, ok := badOf(s)
			return v.read(s.Stat), ok
		})
		if !ok || !c.Compare.Breaches(v, c.Limit(scope)) {
			return false
		}
	}
	return true
}

// series that the conditions of targets read, each metric once.
func series(targets []target) []spec.Series {
	var all []spec.Series
	for _, x := range targets {
		for _, c := range x.alarm.When {
			for _, s := range spec.Render(c.Value, c.Scope(x.stage, values, shorten)).Series {
				s.Stat = ""
				if !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// Of the periods that are put at once: as many as the alarm that looks at most of them.
const (
	period  = 10 * time.Second
	periods = 10
)

// put a datum of each series at each of the times.
func (d *deployment) put(ctx context.Context, all []spec.Series, of func(spec.Series) datum, at ...time.Time) error {
	data := make(map[string][]types.MetricDatum) // by namespace
	for _, s := range all {
		var dimensions []types.Dimension
		for _, x := range s.Dimensions(d.Env, clusterName) {
			dimensions = append(dimensions, types.Dimension{Name: &x.Name, Value: &x.Value})
		}
		v := of(s)
		for _, when := range at {
			data[s.Namespace] = append(data[s.Namespace], types.MetricDatum{
				MetricName: &s.Metric, Dimensions: dimensions, Timestamp: &when, Values: []float64{v.value}, Counts: []float64{v.count},
			})
		}
	}
	const most = 1000 // of one request (Amazon CloudWatch API reference, PutMetricData)
	for namespace, list := range data {
		for part := range slices.Chunk(list, most) {
			if _, err := d.watch.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String(namespace), MetricData: part}); err != nil {
				return err
			}
		}
	}
	return nil
}

// breach puts the bad values of all that the targets read, in every period until now and
// on until the returned function is called: a fault lasts.
func (d *deployment) breach(t *testing.T, targets []target) (stop func()) {
	t.Helper()
	awaitJudged(t)
	now, of := time.Now(), func(s spec.Series) datum { v, _ := badOf(s); return v }
	var at []time.Time
	for i := range periods {
		at = append(at, now.Add(-time.Duration(i)*period))
	}
	if err := d.put(t.Context(), series(targets), of, at...); err != nil {
		t.Fatal(err)
	}
	return d.keep(t, targets, of)
}

// awaitJudged waits until the alarms have just been judged, 2 s after a period has ended.
// Data that are put then are seen all at once the next time: a pager does not page of a
// part of them.
func awaitJudged(t *testing.T) {
	t.Helper()
	deployed.Await(t, "the middle of a period", 2*period, func(context.Context) error {
		if s := time.Now().Unix() % int64(period/time.Second); s < 4 || s > 8 {
			return fmt.Errorf("it is second %d of the period", s)
		}
		return nil
	})
}

// recover puts good values of all that the targets read until the returned function is
// called.
func (d *deployment) recover(t *testing.T, targets []target) (stop func()) {
	t.Helper()
	return d.keep(t, targets, func(s spec.Series) datum {
		if v, ok := good[s.Metric]; ok {
			return v
		}
		return datum{0, 1}
	})
}

// keep putting a datum of each series that the targets read.
func (d *deployment) keep(t *testing.T, targets []target, of func(spec.Series) datum) (stop func()) {
	t.Helper()
	all := series(targets)
	return every(t, tick, func(ctx context.Context, _ int) error { return d.put(ctx, all, of, time.Now()) })
}

// metrics drives every alarm that has not paged yet by its metric, all at once: each pager
// pages once, for all alarms that are behind it.
func (d *deployment) metrics(t *testing.T) {
	const rounds = 2 // an alarm that joins a page that has gone out is driven once more
	var silent []string
	for range rounds {
		targets := d.unpaged()
		if len(targets) == 0 {
			return
		}
		stop := d.breach(t, targets)
		silent = d.fire(t, 30*time.Second, targets...)
		stop()
		stop = d.recover(t, targets)
		d.ends(t, nil)
		stop()
	}
	if len(silent) > 0 {
		t.Errorf("silent:\n%s", strings.Join(silent, "\n"))
	}
}

// unpaged are the alarms that have not paged and do so by their metric.
func (d *deployment) unpaged() []target {
	var targets []target
	for _, p := range spec.Pagers(have) {
		for _, a := range p.Alarms {
			x := target{p.Stage, a}
			if !d.paged[spec.AlarmName(d.Env, p.Stage, a.Name)] && x.breaches() {
				targets = append(targets, x)
			}
		}
	}
	return targets
}
