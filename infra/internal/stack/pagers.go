package stack

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// addPagers makes the alarms that page: a composite for each stage and severity, so that
// one fault is one page. The change back to OK ends the page, or mutes it where on-call sees
// that an alarm of the rule is still in ALARM.
func (a *alarms) addPagers(t *topics) {
	var others []awscdk.CfnResource // than on-call's own
	for _, p := range a.pagers {
		if p.Stage == spec.OnCall {
			a.judgeLast(&p, others)
		}
		rule, children := a.rule(&p)
		topic := []any{t.arn(p.Topic())}
		pager := a.composite(p.Stage+"-"+strings.ToLower(p.Severity), &awscloudwatch.CfnCompositeAlarmProps{
			AlarmName:        jsii.String(spec.PagerName(a.env(), p.Stage, p.Severity)),
			AlarmDescription: jsii.String(spec.PagerText(p, spec.DashboardURL(a.env(), a.region), spec.LogsURL(a.env(), a.region, p.Stage))),
			AlarmRule:        &rule,
			AlarmActions:     &topic,
			OkActions:        &topic,
		}, children)
		pager.AddDependency(a.ready)
		others = append(others, pager)
	}
}

// judgeLast has the alarms of on-call itself, and by them its pagers, made after all other
// pagers. Its page goes past on-call, which holds those of a new deployment: so
// on-call-silent, for which silence is the failure, must not be judged before anything has
// invoked on-call. The first changes of state of the other pagers do. The other use is that
// on-call takes its own pager for the sign that all are made (oncall.Pager).
func (a *alarms) judgeLast(p *spec.Pager, others []awscdk.CfnResource) {
	for _, alarm := range p.Alarms {
		for _, c := range alarm.When {
			metric := a.all[spec.ConditionName(a.env(), p.Stage, alarm.Name, c.Name)]
			for _, other := range others {
				metric.AddDependency(other)
			}
		}
	}
}

// rule of a pager: any of its alarms, those that a deployment mutes only outside of one.
// The rule mutes and not an ActionsSuppressor, which would silence the others too.
func (a *alarms) rule(p *spec.Pager) (rule string, children []string) {
	var always, muted []string
	for _, alarm := range p.Alarms {
		name := spec.AlarmName(a.env(), p.Stage, alarm.Name)
		if alarm.Mute == spec.MuteInDeploy {
			muted = append(muted, name)
		} else {
			always = append(always, name)
		}
	}
	children = append(always, muted...)
	rule = join(" OR ", always)
	if len(muted) == 0 {
		return rule, children
	}
	deploying := a.o.name(deployingAlarm)
	// NOT ALARM(…) in other words: on-call takes what a rule has in ALARM(…) for the faults
	// behind the page.
	outside := `(OK("` + deploying + `") OR INSUFFICIENT_DATA("` + deploying + `"))`
	quiet := "((" + join(" OR ", muted) + ") AND " + outside + ")"
	if rule != "" {
		quiet = " OR " + quiet
	}
	return rule + quiet, append(children, deploying)
}
