package awsio

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// MetricReader is the part of the client of CloudWatch that Meter uses.
type MetricReader interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// Meter reads from CloudWatch what the functions of an environment have measured. What is
// measured shows up there within about two minutes.
type Meter struct {
	Client MetricReader
	Env    string
	Now    func() time.Time
}

const (
	// remembered is how long CloudWatch keeps a metric: 15 months (Amazon CloudWatch User
	// Guide, "Metrics retention").
	remembered = 455 * 24 * time.Hour
	// window is how far back the newest value of a metric is looked for, and the period of
	// percentiles.
	window = 5 * time.Minute
)

// series is one metric with one statistic.
type series struct {
	namespace, metric, stat string
	dimensions              []types.Dimension
}

// own is a metric of package spec.
func (m *Meter) own(metric, stage, stat string) series {
	values := map[string]string{spec.DimensionService: spec.Service, spec.DimensionStage: stage, spec.DimensionEnv: m.Env}
	s := series{namespace: spec.Namespace, metric: metric, stat: stat}
	for _, name := range spec.Dimensions {
		s.dimensions = append(s.dimensions, types.Dimension{Name: &name, Value: aws.String(values[name])})
	}
	return s
}

// stages are those that a metric is read of: all that emit it where stage is "".
func stages(metric, stage string) []string {
	if stage != "" {
		return []string{stage}
	}
	row, _ := spec.MetricByName(metric)
	return row.Stages
}

// Sum is the sum of a metric of package spec since a time: of one stage, or of all that
// emit it where stage is "". A zero since means as far back as CloudWatch remembers. Times
// are rounded down to the minute.
func (m *Meter) Sum(ctx context.Context, metric, stage string, since time.Time) (sum float64, err error) {
	period := time.Minute
	if since.IsZero() {
		since, period = m.Now().Add(-remembered), 24*time.Hour
	}
	var asked []series
	for _, s := range stages(metric, stage) {
		asked = append(asked, m.own(metric, s, string(spec.Sum)))
	}
	points, err := m.query(ctx, asked, since.Truncate(period), period)
	for _, values := range points {
		for _, v := range values {
			sum += v
		}
	}
	return sum, err
}

// Percentiles of a distribution (99 is p99) in the newest of the five-minute periods since
// a time that has values, in the metric's unit, and the number of values they are of;
// without any they are nil. Percentiles of several stages cannot be put together: the
// stage with the most values speaks for all.
func (m *Meter) Percentiles(ctx context.Context, metric string, since time.Time, q ...float64) (best []float64, most int64, err error) {
	names := stages(metric, "")
	var asked []series
	for _, stage := range names {
		asked = append(asked, m.own(metric, stage, string(spec.Samples)))
		for _, p := range q {
			asked = append(asked, m.own(metric, stage, "p"+strconv.FormatFloat(p, 'g', -1, 64)))
		}
	}
	points, err := m.query(ctx, asked, since.Truncate(window), window)
	if err != nil {
		return nil, 0, err
	}
	for ; len(points) > 0; points = points[1+len(q):] {
		n, ok := newest(points[0])
		if !ok || int64(n) <= most {
			continue
		}
		values := make([]float64, len(q))
		for i := range q {
			values[i], _ = newest(points[1+i])
		}
		best, most = values, int64(n)
	}
	return best, most, nil
}

// Newest value of a metric of package spec in the last five minutes, by its own
// statistic; ok is false where there is none.
func (m *Meter) Newest(ctx context.Context, metric, stage string) (v float64, ok bool, err error) {
	row, _ := spec.MetricByName(metric)
	points, err := m.query(ctx, []series{m.own(metric, stage, string(row.Statistic))}, m.Now().Add(-window).Truncate(time.Minute), time.Minute)
	if err != nil {
		return 0, false, err
	}
	v, ok = newest(points[0])
	return v, ok, nil
}

// Ages of the oldest messages of queues, by their names in SQS. A queue that SQS has
// reported nothing of in the last five minutes is missing: it does so only while a queue
// is used.
func (m *Meter) Ages(ctx context.Context, queues ...string) (map[string]time.Duration, error) {
	asked := make([]series, len(queues))
	for i := range queues {
		asked[i] = series{
			namespace: "AWS/SQS", metric: "ApproximateAgeOfOldestMessage", stat: string(spec.Maximum),
			dimensions: []types.Dimension{{Name: aws.String("QueueName"), Value: &queues[i]}},
		}
	}
	points, err := m.query(ctx, asked, m.Now().Add(-window).Truncate(time.Minute), time.Minute)
	ages := make(map[string]time.Duration)
	for i := range points {
		if v, ok := newest(points[i]); ok {
			ages[queues[i]] = time.Duration(v * float64(time.Second))
		}
	}
	return ages, err
}

// newest of values that are sorted so.
func newest(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	return values[0], true
}

// query returns the values of each series in the periods from start to the present one,
// newest first. Periods without values are left out.
func (m *Meter) query(ctx context.Context, asked []series, start time.Time, period time.Duration) ([][]float64, error) {
	end := m.Now().Truncate(period).Add(period) // it is not part of the time
	in := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: &end, ScanBy: types.ScanByTimestampDescending}
	index := make(map[string]int)
	for i, s := range asked {
		id := "s" + strconv.Itoa(i)
		index[id] = i
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: &asked[i].namespace, MetricName: &asked[i].metric, Dimensions: s.dimensions},
			Period: aws.Int32(int32(period / time.Second)), Stat: &asked[i].stat,
		}})
	}
	points := make([][]float64, len(asked))
	for {
		out, err := m.Client.GetMetricData(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("read metrics: %w", readable(err))
		}
		for _, r := range out.MetricDataResults {
			if i, ok := index[aws.ToString(r.Id)]; ok {
				points[i] = append(points[i], r.Values...)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return points, nil
		}
	}
}
