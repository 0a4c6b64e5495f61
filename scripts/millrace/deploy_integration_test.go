//go:build integration

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// executed runs millrace in this process, with its environment.
func executed(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	e := processEnv()
	e.stdout, e.stderr = &out, &errs
	code = execute(t.Context(), e, args)
	return code, out.String(), errs.String()
}

// atEnd undoes a part of a test: the servers may be of longer life than it.
func atEnd(t *testing.T, undo func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		if err := undo(context.Background()); err != nil {
			t.Log(err)
		}
	})
}

// makeIngestQueue makes the queue by which a deployment is found.
func makeIngestQueue(t *testing.T, cfg aws.Config, env string) {
	t.Helper()
	queues := sqs.NewFromConfig(cfg)
	q, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(spec.ResourceName(env, spec.Ingest))})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, func(ctx context.Context) error {
		_, err := queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: q.QueueUrl})
		return err
	})
}

// makeFunction makes one with the alias that people and event sources invoke.
func makeFunction(t *testing.T, functions *lambda.Client, name string, zip []byte, vars map[string]string) {
	t.Helper()
	_, err := functions.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Role: aws.String("arn:aws:iam::000000000000:role/any"),
		Code: &types.FunctionCode{ZipFile: zip}, Environment: &types.Environment{Variables: vars}, Publish: true, Timeout: aws.Int32(50),
	})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, func(ctx context.Context) error {
		_, err := functions.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
		return err
	})
	published := &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: aws.String("1")}
	if err := lambda.NewPublishedVersionActiveWaiter(functions).Wait(t.Context(), published, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := functions.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: &name, Name: aws.String(spec.Alias), FunctionVersion: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
}

// functionZip builds a function, by its name in package spec.
func functionZip(t *testing.T, name string) []byte {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "run", "./scripts/functions", "-out", dir, "-arch", runtime.GOARCH, name)
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	zip, err := os.ReadFile(filepath.Join(dir, runtime.GOARCH, name+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	return zip
}
