package awsio

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// stepOf is the period that a sum over a longer one is made of. CloudWatch keeps periods of
// five minutes for 63 days and of an hour for 15 months, and takes starts that are
// multiples of them (Amazon CloudWatch API reference, GetMetricData: StartTime).
func stepOf(period time.Duration) time.Duration {
	switch {
	case period >= 10*24*time.Hour:
		return 24 * time.Hour
	case period >= 24*time.Hour:
		return time.Hour
	default:
		return min(period, 5*time.Minute)
	}
}

// Sums of a series of counts (spec.Sum or spec.Samples) in each of the n periods before
// end, the oldest first; there says which have data. A period is a minute, or a multiple
// of five. What came in the last incomplete minute, or five, is left to the next call; a
// period of days, of which only one can be asked for, begins at a whole hour, one of ten
// days or more at midnight UTC.
func (m *Meter) Sums(ctx context.Context, s spec.Series, end time.Time, period time.Duration, n int) (sums []float64, there []bool, err error) {
	step := stepOf(period)
	if s.Stat != spec.Sum && s.Stat != spec.Samples || period%step != 0 || step%time.Minute != 0 || n > 1 && step >= time.Hour {
		return nil, nil, fmt.Errorf("%s in %d periods of %v cannot be added up", s, n, period)
	}
	end = end.Truncate(min(step, 5*time.Minute))
	start := end.Add(-time.Duration(n) * period).Truncate(step)
	in := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: &end, MetricDataQueries: []types.MetricDataQuery{{
		Id: aws.String("m"), MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: &s.Namespace, MetricName: &s.Metric, Dimensions: dimensionsOf(s, m.Env)},
			Period: aws.Int32(int32(step / time.Second)), Stat: aws.String(string(s.Stat)),
		},
	}}}
	sums, there = make([]float64, n), make([]bool, n)
	for {
		out, err := m.Client.GetMetricData(ctx, in)
		if err != nil {
			return nil, nil, fmt.Errorf("read metrics: %w", readable(err))
		}
		for _, r := range out.MetricDataResults {
			for i, at := range r.Timestamps {
				k := min(int(at.Sub(start)/period), n-1)
				sums[k] += r.Values[i]
				there[k] = true
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return sums, there, nil
		}
	}
}

func dimensionsOf(s spec.Series, env string) []types.Dimension {
	var all []types.Dimension
	for _, d := range s.Dimensions(env, "") {
		all = append(all, types.Dimension{Name: &d.Name, Value: &d.Value})
	}
	return all
}
