package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Pipeline is the stack of everything that carries events.
type Pipeline struct {
	Stack awscdk.Stack
	// Stages by name, and the queues that belong to none.
	Stages                  map[string]*Stage
	Redrive, Monitor        function
	OnCall                  function
	Pages                   awssqs.Queue // with a copy of every page
	Quarantine, KafkaFailed awssqs.Queue

	o     *Options
	data  *Data
	key   awskms.IKey
	vpc   *network // of the functions; nil: none
	rolls *rollout // nil: aliases move at once, by CloudFormation

	alarms *alarms
}

func newPipeline(app awscdk.App, o Options, data *Data) *Pipeline {
	s := awscdk.NewStack(app, jsii.String("Pipeline"), o.props(spec.PipelineStack, "Millrace: queues, topics and functions"))
	p := &Pipeline{
		Stack: s, Stages: make(map[string]*Stage), o: &o, data: data,
		// By its ARN, so that nothing here changes the key's policy: the other stack's.
		key: awskms.Key_FromKeyArn(s, jsii.String("Key"), data.Key.KeyArn()),
	}
	p.vpc = p.functionNetwork()
	if !o.Deployment.LocalStack() {
		p.rolls = newRollout(s, &o)
	}

	p.alarms = newAlarms(p)

	q := p.queues(s)
	p.Quarantine = q.dead("Quarantine", spec.Quarantine, "")
	p.KafkaFailed = q.dead("KafkaFailed", spec.KafkaFailed, "")
	// From the end, since a stage knows the topic of the next one.
	for i := len(spec.Stages) - 1; i >= 0; i-- {
		st := spec.Stages[i]
		p.Stages[st.Name] = newStage(p, st)
	}
	p.addDoors(p.Stages[spec.Ingest])
	p.Redrive = newRedrive(p)
	p.Monitor = newMonitor(p)
	p.addOperations()
	return p
}

// addOperations makes what tells people how the pipeline does.
func (p *Pipeline) addOperations() {
	scope := constructs.NewConstruct(p.Stack, jsii.String("Pages"))
	var t topics
	t, p.Pages = newPages(p, scope)
	p.OnCall = newOnCall(p, t, scope)
	p.alarms.addDeploying()
	p.addDeploymentRule(p.Monitor)
	p.alarms.addPagers(&t)
	p.addDashboard()
	p.addLogQueries()
}

func (p *Pipeline) queues(scope constructs.Construct) queues {
	return queues{scope: scope, stack: p.Stack, o: p.o, key: p.key}
}
