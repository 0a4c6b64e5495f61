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

// pointStep is the longest period that is asked for. CloudWatch keeps periods of five
// minutes for 63 days, and takes any start that is a multiple of them (Amazon CloudWatch
// API reference, GetMetricData: StartTime).
const pointStep = 5 * time.Minute

// Sums of a series of counts (spec.Sum or spec.Samples) in each of the n periods before
// end, the oldest first; there says which have data. A period is a minute, or a multiple
// of five; data of the last incomplete minute, or five, before end are left to the next
// call.
func (m *Meter) Sums(ctx context.Context, s spec.Series, end time.Time, period time.Duration, n int) (sums []float64, there []bool, err error) {
	step := min(period, pointStep)
	if s.Stat != spec.Sum && s.Stat != spec.Samples || period%step != 0 || step%time.Minute != 0 {
		return nil, nil, fmt.Errorf("%s over %v cannot be added up", s, period)
	}
	end = end.Truncate(step)
	start := end.Add(-time.Duration(n) * period)
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
				if k := int(at.Sub(start) / period); !at.Before(start) && k < n {
					sums[k] += r.Values[i]
					there[k] = true
				}
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
