package wire

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/logs"
	"github.com/millrace-pipeline/millrace/shared/oncall"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// endpointVar is set where AWS's own endpoints are not used: LocalStack sets it in its
// functions.
const endpointVar = "AWS_ENDPOINT_URL"

// OnCall is the handler of the function on-call.
func OnCall(ctx context.Context) (lambdaio.Handler, error) {
	settings, err := spec.Load(os.Environ())
	if err != nil {
		return nil, err
	}
	var env environment
	bucket := env.get(spec.ClaimsVar)
	arns := make(map[string]string)
	for _, topic := range spec.PageTopics() {
		arns[topic] = env.get(spec.PageTopicVar(topic))
	}
	if err := env.err(); err != nil {
		return nil, err
	}
	cfg, err := awsio.Load(ctx)
	if err != nil {
		return nil, err
	}
	place := oncall.Place{Env: settings.Env, Region: cfg.Region, Target: spec.TargetAWS}
	if os.Getenv(endpointVar) != "" {
		place.Target = spec.TargetLocalStack
	}
	log := logs.New(os.Stdout, settings.LogLevel, settings.Env)
	pager := oncall.New(oncall.Options{
		Place:  place,
		Open:   awsio.NewObject(cfg, bucket, spec.OpenPagesKey),
		Topics: &awsio.PageTopics{Client: sns.NewFromConfig(cfg), ARNs: arns},
		Alarms: alarms{&awsio.Alarms{Client: cloudwatch.NewFromConfig(cfg)}},
		Now:    time.Now, Log: log,
	})
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		answer, err := pager.Handle(ctx, payload)
		if err != nil {
			log.Error("the invocation failed", slog.Any("error", err), slog.String("request_id", lambdaio.RequestID(ctx)))
		}
		return answer, err
	}, nil
}

// alarms gives CloudWatch's alarms the type that package oncall has for them.
type alarms struct{ client *awsio.Alarms }

func (a alarms) Describe(ctx context.Context, names []string) ([]oncall.Alarm, error) {
	states, err := a.client.Describe(ctx, names)
	list := make([]oncall.Alarm, len(states))
	for i, s := range states {
		list[i] = oncall.Alarm(s)
	}
	return list, err
}
