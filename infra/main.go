// Command infra is the CDK app: `cdk deploy -c target=aws|localstack` runs it, as
// cdk.json says. What can be chosen with -c is in docs/SETTINGS.md.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/infra/internal/stack"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

func main() {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	err := synth(app)
	if err != nil { // before Close, which prints a line of its own
		fmt.Fprintf(os.Stderr, "infra: %v\n", err)
	}
	jsii.Close()
	if err != nil {
		os.Exit(1)
	}
}

// synth writes the templates. What the CDK itself finds wrong, such as a VPC without
// private subnets, it reports by a panic: an error to whoever deploys.
func synth(app awscdk.App) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error: // a bug here, not in the settings
			panic(r)
		default:
			err = fmt.Errorf("the CDK refuses it: %v", r)
		}
	}()
	if err := build(app); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}

// build puts the stacks that the app's context asks for into it.
func build(app awscdk.App) error {
	context, ok := app.Node().GetAllContext(nil).(map[string]any)
	if !ok {
		return errors.New("the context of the CDK app cannot be read")
	}
	d, err := spec.LoadDeployment(context)
	if err != nil {
		return err
	}
	_, _, err = stack.Add(app, stack.Options{
		Deployment: d, Functions: "build/functions",
		Account: os.Getenv("CDK_DEFAULT_ACCOUNT"), Region: os.Getenv("CDK_DEFAULT_REGION"),
	})
	return err
}
