package stack

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// alarms are spec.Alarms in CloudWatch. They refer to metrics by name alone, so that they
// can be there before what they watch.
type alarms struct {
	scope   constructs.Construct
	o       *Options
	region  string
	cluster string // name of the MSK cluster, "" without one that has brokers
	pagers  []spec.Pager

	all map[string]awscdk.CfnResource // by their name in CloudWatch
	// ready is made when a page would go out: a pager that were there earlier could go off
	// and be heard by nobody.
	ready awscdk.CfnResource
}

// newAlarms makes the alarms that this deployment has a use for. None of them has an
// action: the pagers have.
func newAlarms(p *Pipeline) *alarms {
	a := &alarms{
		scope: constructs.NewConstruct(p.Stack, jsii.String("Alarms")), o: p.o, region: *p.Stack.Region(), cluster: p.clusterName(),
		all: make(map[string]awscdk.CfnResource),
	}
	for _, pager := range spec.Pagers(a.have) {
		if pager.Alarms = slices.DeleteFunc(pager.Alarms, a.blind); len(pager.Alarms) > 0 {
			a.pagers = append(a.pagers, pager)
		}
	}
	for _, pager := range a.pagers {
		for i := range pager.Alarms {
			a.add(pager.Stage, &pager.Alarms[i])
		}
	}
	return a
}

// have says what the deployment has. Its event store is always MongoDB, and topics stand
// between its stages.
func (a *alarms) have(n spec.Need) bool {
	switch n {
	case spec.NeedsKafka:
		return a.o.Deployment.Kafka != spec.KafkaNone
	case spec.NeedsMSK:
		return a.cluster != ""
	default:
		return true
	}
}

// blind says whether an alarm is on what monitor cannot measure here: the brokers of an
// MSK cluster from outside its VPC. It would be in ALARM, or never.
func (a *alarms) blind(alarm spec.Alarm) bool {
	if alarm.Needs != spec.NeedsKafka || a.o.Deployment.MonitorsKafka() {
		return false
	}
	for _, c := range alarm.When {
		for _, s := range spec.Render(c.Value, spec.Scope{}).Series {
			if m, own := spec.MetricByName(s.Metric); own && m.Monitored {
				return true
			}
		}
	}
	return false
}

// add makes the alarm of a stage: a metric alarm, or where it has several conditions, one
// for each and a composite alarm that is in ALARM while all of them are.
func (a *alarms) add(stage string, alarm *spec.Alarm) {
	text := a.page(stage, alarm)
	var conditions []string
	for i := range alarm.When {
		conditions = append(conditions, a.metricAlarm(stage, alarm, &alarm.When[i], text))
	}
	if len(conditions) > 1 {
		name := spec.AlarmName(a.env(), stage, alarm.Name)
		a.composite(stage+"-"+alarm.Name, &awscloudwatch.CfnCompositeAlarmProps{
			AlarmName: &name, AlarmDescription: &text, AlarmRule: jsii.String(join(" AND ", conditions)),
		}, conditions)
	}
}

func (a *alarms) env() string { return a.o.Deployment.Settings.Env }

// page is the description of an alarm: what a person reads who looks at it.
func (a *alarms) page(stage string, alarm *spec.Alarm) string {
	return spec.Page{
		Env: a.env(), Stage: stage, Alarm: *alarm, Values: a.o.Deployment.Thresholds, Shorten: a.shorten(),
		Dashboard: spec.DashboardURL(a.env(), a.region), Logs: spec.LogsURL(a.env(), a.region, stage),
	}.Text()
}

func (a *alarms) shorten() float64 { return float64(a.o.Deployment.AlarmShorten) }

// composite makes a composite alarm. CloudFormation knows its children by their names in
// the rule, so their order must be said.
func (a *alarms) composite(id string, props *awscloudwatch.CfnCompositeAlarmProps, children []string) awscloudwatch.CfnCompositeAlarm {
	c := awscloudwatch.NewCfnCompositeAlarm(a.scope, &id, props)
	for _, child := range children {
		c.AddDependency(a.all[child])
	}
	a.all[*props.AlarmName] = c
	return c
}

// join is a rule over alarms that are to be in ALARM (Amazon CloudWatch API reference,
// PutCompositeAlarm, AlarmRule).
func join(operator string, names []string) string {
	terms := make([]string, len(names))
	for i, name := range names {
		terms[i] = inAlarm(name)
	}
	return strings.Join(terms, operator)
}

func inAlarm(name string) string { return `ALARM("` + name + `")` }

// rollbackAlarms are those that a bad release of a stage sets off: they roll a deployment
// back. CodeDeploy also stops a deployment that begins while one of them is in ALARM, even
// one that would mend it: so rollout=all-at-once does not look at them.
var rollbackAlarms = []string{"error-rate-critical", "error-rate-high", "error-rate-elevated", "function-errors", "function-duration"}

// rollback are those of a stage.
func (a *alarms) rollback(stage string) []awscloudwatch.CfnAlarm {
	var found []awscloudwatch.CfnAlarm
	if a.o.Deployment.Rollout == spec.RolloutAtOnce {
		return nil
	}
	for _, name := range rollbackAlarms {
		if alarm, ok := spec.AlarmByName(name); ok && slices.Contains(alarm.Stages, stage) {
			found = append(found, a.all[spec.AlarmName(a.env(), stage, name)].(awscloudwatch.CfnAlarm))
		}
	}
	return found
}

// clusterName of the MSK cluster, as its metrics have it; "" where there is none with
// brokers of its own. The last part of a serverless cluster's ARN ends in "-s" and a
// number.
func (p *Pipeline) clusterName() string {
	d := &p.o.Deployment
	switch d.Kafka {
	case spec.KafkaMSK:
		if parts := strings.Split(d.KafkaClusterARN, "/"); len(parts) == 3 && !serverless.MatchString(parts[2]) {
			return parts[1]
		}
	case spec.KafkaCreate:
		if d.KafkaCreate == spec.CreateExpress {
			return p.o.name("kafka")
		}
	}
	return ""
}

var serverless = regexp.MustCompile(`-s[0-9]+$`)
