//go:build integration

package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// destroy: `cdk destroy` leaves nothing that bears the name of the environment.
func (d *deployment) destroy(t *testing.T) {
	before := d.resources(t)
	if len(before) < 20 {
		t.Errorf("only %d resources are found of the deployment: %v", len(before), before)
	}
	if _, err := d.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := d.resources(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// resources that bear the name of the environment, as "kind name".
func (d *deployment) resources(t *testing.T) (found []string) {
	t.Helper()
	for kind, list := range map[string]func(context.Context) ([]string, error){
		"stack": d.stacks, "queue": d.queues, "topic": d.topics, "function": d.functions,
		"bucket": d.buckets, "secret": d.secrets, "log group": d.logGroups,
	} {
		names, err := list(t.Context())
		if err != nil {
			t.Fatalf("list of kind %s: %v", kind, err)
		}
		for _, name := range names {
			if strings.Contains(name, spec.ResourceName(d.Env, "")) || strings.Contains(name, spec.SecretName(d.Env, "")) {
				found = append(found, kind+" "+name)
			}
		}
	}
	slices.Sort(found)
	return found
}

func (d *deployment) stacks(ctx context.Context) (names []string, err error) {
	out, err := cloudformation.NewFromConfig(d.AWS).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err == nil {
		for _, s := range out.Stacks {
			if s.StackStatus != types.StackStatusDeleteComplete { // AWS does not list these
				names = append(names, *s.StackName)
			}
		}
	}
	return names, err
}

func (d *deployment) queues(ctx context.Context) ([]string, error) {
	prefix := spec.ResourceName(d.Env, "")
	out, err := sqs.NewFromConfig(d.AWS).ListQueues(ctx, &sqs.ListQueuesInput{QueueNamePrefix: &prefix})
	if err != nil {
		return nil, err
	}
	return out.QueueUrls, nil
}

func (d *deployment) topics(ctx context.Context) (names []string, err error) {
	pages := sns.NewListTopicsPaginator(sns.NewFromConfig(d.AWS), &sns.ListTopicsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, topic := range page.Topics {
			names = append(names, *topic.TopicArn)
		}
	}
	return names, nil
}

func (d *deployment) functions(ctx context.Context) (names []string, err error) {
	pages := lambda.NewListFunctionsPaginator(lambda.NewFromConfig(d.AWS), &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range page.Functions {
			names = append(names, *f.FunctionName)
		}
	}
	return names, nil
}

func (d *deployment) buckets(ctx context.Context) (names []string, err error) {
	out, err := s3.NewFromConfig(d.AWS).ListBuckets(ctx, &s3.ListBucketsInput{})
	if err == nil {
		for _, b := range out.Buckets {
			names = append(names, *b.Name)
		}
	}
	return names, err
}

func (d *deployment) secrets(ctx context.Context) (names []string, err error) {
	out, err := secretsmanager.NewFromConfig(d.AWS).ListSecrets(ctx, &secretsmanager.ListSecretsInput{})
	if err == nil {
		for _, s := range out.SecretList {
			names = append(names, *s.Name)
		}
	}
	return names, err
}

func (d *deployment) logGroups(ctx context.Context) (names []string, err error) {
	out, err := cloudwatchlogs.NewFromConfig(d.AWS).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	if err == nil {
		for _, g := range out.LogGroups {
			names = append(names, *g.LogGroupName)
		}
	}
	return names, err
}
