package stack

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// metricAlarm makes the alarm of one condition and returns its name in CloudWatch.
func (a *alarms) metricAlarm(stage string, alarm *spec.Alarm, c *spec.Condition, text string) string {
	scope := c.Scope(stage, a.o.Deployment.Thresholds, a.shorten())
	name := spec.ConditionName(a.env(), stage, alarm.Name, c.Name)
	props := &awscloudwatch.CfnAlarmProps{
		AlarmName:          &name,
		AlarmDescription:   &text,
		ComparisonOperator: jsii.String(string(c.Compare)),
		Threshold:          jsii.Number(c.Limit(scope)),
		EvaluationPeriods:  jsii.Number(c.N),
		DatapointsToAlarm:  jsii.Number(c.M),
		TreatMissingData:   jsii.String(string(c.Missing)),
	}
	if c.LowSamples != "" {
		props.EvaluateLowSampleCountPercentile = jsii.String(string(c.LowSamples))
	}
	q, seconds := spec.Render(c.Value, scope), jsii.Number(scope.Period.Seconds())
	if q.Math == "" {
		a.single(props, q.Series[0], seconds)
	} else {
		props.Metrics = a.expression(c.Label, q, seconds)
	}
	id := stage + "-" + alarm.Name
	if c.Name != "" {
		id += "-" + c.Name
	}
	a.all[name] = awscloudwatch.NewCfnAlarm(a.scope, &id, props)
	return name
}

// single makes the alarm one on a metric itself.
func (a *alarms) single(props *awscloudwatch.CfnAlarmProps, s spec.Series, period *float64) {
	props.Namespace, props.MetricName, props.Period = &s.Namespace, &s.Metric, period
	props.Dimensions = a.dimensions(s)
	if stat := jsii.String(string(s.Stat)); strings.HasPrefix(*stat, "p") {
		props.ExtendedStatistic = stat
	} else {
		props.Statistic = stat
	}
}

// expression is metric math over the series m1, m2 ….
func (a *alarms) expression(label string, q spec.Query, period *float64) []*awscloudwatch.CfnAlarm_MetricDataQueryProperty {
	queries := []*awscloudwatch.CfnAlarm_MetricDataQueryProperty{{
		Id: jsii.String("value"), Expression: &q.Math, Label: &label, ReturnData: jsii.Bool(true),
	}}
	for i, s := range q.Series {
		queries = append(queries, &awscloudwatch.CfnAlarm_MetricDataQueryProperty{
			Id: jsii.String(spec.ID(i)), ReturnData: jsii.Bool(false),
			MetricStat: &awscloudwatch.CfnAlarm_MetricStatProperty{
				Metric: &awscloudwatch.CfnAlarm_MetricProperty{
					Namespace: &s.Namespace, MetricName: &s.Metric, Dimensions: a.dimensions(s),
				},
				Period: period, Stat: jsii.String(string(s.Stat)),
			},
		})
	}
	return queries
}

func (a *alarms) dimensions(s spec.Series) []*awscloudwatch.CfnAlarm_DimensionProperty {
	var list []*awscloudwatch.CfnAlarm_DimensionProperty
	for _, d := range s.Dimensions(a.env(), a.cluster) {
		list = append(list, &awscloudwatch.CfnAlarm_DimensionProperty{Name: &d.Name, Value: &d.Value})
	}
	return list
}
