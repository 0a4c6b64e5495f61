package stack

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// addPagers makes the alarms that page: a composite for each stage and severity, so that
// one fault is one page. The change back to OK ends the page.
func (a *alarms) addPagers(t *topics) {
	for _, p := range a.pagers {
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
