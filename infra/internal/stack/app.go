// Package stack makes the two CloudFormation stacks of Millrace out of shared/spec: Data,
// which holds what must not be lost (the key, secrets, buckets, a Kafka cluster), and
// Pipeline, which holds everything else and, once its queues are empty, can be deleted
// and deployed anew.
package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Options of Add.
type Options struct {
	Deployment spec.Deployment
	// Functions is the directory of the functions' zips: <arch>/<name>.zip.
	Functions string
	// Account and Region that are deployed to; "" leaves them to CloudFormation, which is
	// enough unless an existing VPC is looked up.
	Account, Region string
}

// Add puts both stacks into the app. The error names every zip that is missing.
func Add(app awscdk.App, o Options) (*Data, *Pipeline, error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	data := newData(app, o)
	return data, newPipeline(app, o, data), nil
}

func (o *Options) check() error {
	var errs []error
	for _, name := range spec.Functions() {
		if _, err := os.Stat(o.zip(name)); errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s is missing: build it with `go run ./scripts/functions`", o.zip(name)))
		} else if err != nil {
			errs = append(errs, err)
		}
	}
	if id := o.Deployment.VPC; id != spec.VPCNone && id != spec.VPCNew && (o.Account == "" || o.Region == "") {
		errs = append(errs, fmt.Errorf("vpc: %s is looked up in the account and its region, which are not known: the CLI takes them from the AWS credentials", id))
	}
	return errors.Join(errs...)
}

func (o *Options) zip(function string) string {
	return filepath.Join(o.Functions, o.Deployment.Architecture, function+".zip")
}

// name of a resource of this deployment.
func (o *Options) name(what string) string {
	return spec.ResourceName(o.Deployment.Settings.Env, what)
}

func (o *Options) removal() awscdk.RemovalPolicy {
	if o.Deployment.Removal == spec.RemovalDestroy {
		return awscdk.RemovalPolicy_DESTROY
	}
	return awscdk.RemovalPolicy_RETAIN
}

func (o *Options) props(what, description string) *awscdk.StackProps {
	p := &awscdk.StackProps{
		StackName:   jsii.String(o.name(what)),
		Description: &description,
		Tags: &map[string]*string{
			"application": jsii.String("millrace"),
			"environment": jsii.String(o.Deployment.Settings.Env),
		},
	}
	if o.Account != "" && o.Region != "" {
		p.Env = &awscdk.Environment{Account: &o.Account, Region: &o.Region}
	}
	return p
}
