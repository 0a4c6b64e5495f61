package stack

import (
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// pagesKept is how long the queue with a copy of every page keeps them: nobody but tests
// takes them out.
const pagesKept = 24 * time.Hour

// topics of alarms and pages by their names in spec.
type topics map[string]awssns.Topic

func (t *topics) arn(name string) *string { return (*t)[name].TopicArn() }

// newPages makes the topic of the alarms and those of the pages, with the endpoints that
// the deployment gives and the queue that gets a copy of every page.
func newPages(p *Pipeline, scope constructs.Construct) (t topics, pages awssqs.Queue) {
	pages = awssqs.NewQueue(scope, jsii.String("Queue"), p.queues(scope).props(spec.Pages, pagesKept))
	t = topics{spec.AlarmsTopic: alarmsTopic(scope, p, spec.AlarmsTopic)}
	for _, name := range spec.PageTopics() {
		if name == spec.PageTopic(spec.P1) { // on-call's own alarms page past on-call
			t[name] = alarmsTopic(scope, p, name)
		} else {
			t[name] = plainTopic(scope, p, name)
		}
		t[name].AddSubscription(awssnssubscriptions.NewSqsSubscription(pages, nil))
		for _, endpoint := range p.o.Deployment.Endpoints(name) {
			t[name].AddSubscription(subscription(endpoint))
		}
	}
	return t, pages
}

func plainTopic(scope constructs.Construct, p *Pipeline, name string) awssns.Topic {
	return awssns.NewTopic(scope, &name, &awssns.TopicProps{
		TopicName:  jsii.String(p.o.name(name)),
		MasterKey:  p.key,
		EnforceSSL: jsii.Bool(true),
	})
}

// alarmsTopic is one that alarms of this deployment publish to (Amazon CloudWatch User
// Guide, "Notifying users on alarm changes"). The key's policy lets CloudWatch use it.
func alarmsTopic(scope constructs.Construct, p *Pipeline, name string) awssns.Topic {
	topic := plainTopic(scope, p, name)
	alarms := "arn:" + *p.Stack.Partition() + ":cloudwatch:" + *p.Stack.Region() + ":" + *p.Stack.Account() + ":alarm:" + p.o.name("*")
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("Alarms"), Principals: service("cloudwatch.amazonaws.com"),
		Actions: jsii.Strings("sns:Publish"), Resources: &[]*string{topic.TopicArn()},
		Conditions: &map[string]any{
			"StringEquals": map[string]any{"aws:SourceAccount": p.Stack.Account()},
			"ArnLike":      map[string]any{"aws:SourceArn": alarms},
		},
	}))
	return topic
}

// subscription of an email address or an https:// address.
func subscription(endpoint string) awssns.ITopicSubscription {
	if strings.HasPrefix(endpoint, "https://") {
		return awssnssubscriptions.NewUrlSubscription(&endpoint, nil)
	}
	return awssnssubscriptions.NewEmailSubscription(&endpoint, nil)
}
