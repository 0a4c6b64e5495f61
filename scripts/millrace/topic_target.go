package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// topic asks monitor, which has the deployment's way to Kafka.
func (t *deployedTarget) topic(ctx context.Context, do string) (spec.TopicReport, error) {
	var a function.MonitorAnswer
	if err := t.ask(ctx, spec.Monitor, function.MonitorRequest{Topic: do}, &a); err != nil {
		return spec.TopicReport{}, err
	}
	switch {
	case a.Refused != "":
		return spec.TopicReport{}, errors.New(a.Refused)
	case a.Topic == nil: // it has measured, as it does with any other payload
		return spec.TopicReport{}, errors.New("monitor gave no answer about a topic: the deployment is older than `millrace topic`; deploy it again")
	}
	return *a.Topic, nil
}

// ask invokes a function of the deployment, by its name in package spec, with a request
// and reads its answer.
func (t *deployedTarget) ask(ctx context.Context, name string, request, answer any) error {
	f, err := t.find(ctx)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(request)
	if err != nil {
		return err
	}
	function := awsio.Function{Client: lambda.NewFromConfig(f.cfg), Name: spec.ResourceName(f.Env, name), Alias: spec.Alias}
	text, err := function.Invoke(ctx, payload)
	switch {
	case errors.Is(err, awsio.ErrNoFunction):
		return fmt.Errorf("there is no function %s (alias %s) in %s: the deployment is older than %s; deploy it again", function.Name, function.Alias, f.Region, name)
	case err != nil:
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("the answer of %s: %w", function.Name, err)
	}
	return nil
}

// topic asks the Kafka of the pipeline that runs: its topic is made when it starts, so
// that there is nothing to make.
func (t *embeddedTarget) topic(ctx context.Context, _ string) (spec.TopicReport, error) {
	r, err := t.running()
	if errors.Is(err, embedded.ErrNotRunning) {
		err = fmt.Errorf("nothing is running in %s: `millrace run` makes its topic by itself when it starts; --kafka names another Kafka, --target a deployed pipeline", t.dir)
	}
	if err != nil {
		return spec.TopicReport{}, err
	}
	return doTopic(ctx, &kafkaio.TopicAdmin{Config: kafkaio.Config{Brokers: r.Kafka}, Topic: r.Topic}, function.TopicShow)
}

// sourceNote says how Lambda's event source stands, and how it is made to look for the
// topic again. What Lambda does about a topic that appears later is not documented:
// "Troubleshooting Kafka event source mapping errors" (AWS Lambda Developer Guide) speaks
// of authentication and the network only.
func (t *deployedTarget) sourceNote(ctx context.Context, r *spec.TopicReport) (string, error) {
	f, err := t.find(ctx)
	if err != nil {
		return "", err
	}
	ingest := awsio.Function{Client: lambda.NewFromConfig(f.cfg), Name: spec.ResourceName(f.Env, spec.Ingest), Alias: spec.Alias}
	s, ok, err := ingest.KafkaSource(ctx, r.Topic)
	if err != nil {
		return "", err
	}
	if !ok {
		return fmt.Sprintf("no event source of %s (alias %s) reads this topic: was the deployment changed by hand? `cdk deploy` restores it\n", ingest.Name, ingest.Alias), nil
	}
	note := fmt.Sprintf("the event source of %s: %s, last result %s\n", ingest.Name, strings.TrimSpace(s.State+" "+s.Reason), cell(oneLine(s.Result)))
	if !r.Created && s.State == "Enabled" && !strings.HasPrefix(s.Result, "PROBLEM") {
		return note, nil
	}
	const update = "aws lambda update-event-source-mapping --uuid "
	return note + "It finds a topic that is made later when it tries again, within minutes. If a PROBLEM stays, or it is not Enabled:\n" +
		"  " + update + s.UUID + " --no-enabled\n  (wait until it is Disabled)\n  " + update + s.UUID + " --enabled\n", nil
}
