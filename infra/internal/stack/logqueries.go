package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// addLogQueries saves the queries of spec.LogQueries, in a folder of the environment.
func (p *Pipeline) addLogQueries() {
	scope := constructs.NewConstruct(p.Stack, jsii.String("LogQueries"))
	d := &p.o.Deployment
	for _, q := range spec.LogQueries(d.Architecture) {
		var groups []any
		for _, f := range q.Functions {
			groups = append(groups, spec.LogGroup(d.Settings.Env, f))
		}
		awslogs.NewCfnQueryDefinition(scope, jsii.String(q.Name), &awslogs.CfnQueryDefinitionProps{
			Name:          jsii.String(p.o.name("logs/" + q.Name)),
			QueryString:   jsii.String(q.Text),
			LogGroupNames: &groups,
		})
	}
}
