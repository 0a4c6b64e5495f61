package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Stage is what one stage of spec.Stages is deployed as.
type Stage struct {
	Spec        spec.Stage
	Scope       constructs.Construct // for what else belongs to the stage, such as alarms
	Queue, DLQ  awssqs.Queue
	Topic       awssns.Topic // in front of the queue; nil for ingest, whose queue is a door
	Undelivered awssqs.Queue // what the topic could not hand over; nil for ingest
	Function    awslambda.Function
	Alias       awslambda.Alias
}

func newStage(p *Pipeline, st spec.Stage) *Stage {
	scope := constructs.NewConstruct(p.Stack, jsii.String(st.Name))
	s := &Stage{Spec: st, Scope: scope}
	q := p.queues(scope)
	s.Queue, s.DLQ = q.work(st)
	if st.HasTopic() {
		s.Undelivered = q.dead("Undelivered", st.Undelivered(), "")
		s.Topic = newTopic(scope, p.o.name(st.Name), p.key, s.Queue, s.Undelivered)
	}
	f := newFunction(scope, p, functionProps{
		name: st.Name, description: "Millrace: the stage " + st.Name,
		timeout: st.Timeout, memory: st.Memory, reserved: p.o.Deployment.ReservedConcurrency,
		environment: s.environment(p), statements: s.statements(p),
	})
	s.Function, s.Alias = f.Lambda, f.Alias
	addQueueSource(scope, s, &p.o.Deployment)
	p.roll(scope, st.Name, f)
	return s
}

// next is the stage that s publishes to, nil for the last.
func (s *Stage) next(p *Pipeline) *Stage { return p.Stages[s.Spec.Next] }

// environment holds spec.FunctionVars of the stage.
func (s *Stage) environment(p *Pipeline) map[string]*string {
	vars := map[string]*string{
		spec.QueueVar:  s.Queue.QueueUrl(),
		spec.DLQVar:    s.DLQ.QueueUrl(),
		spec.ClaimsVar: p.data.Claims.BucketName(),
	}
	if next := s.next(p); next != nil {
		vars[spec.NextTopicVar] = next.Topic.TopicArn()
	}
	if spec.UsesStore(s.Spec.Name) {
		vars[spec.MongoSecretVar] = p.data.MongoSecret
	}
	if spec.UsesPseudonyms(s.Spec.Name) {
		vars[spec.PseudonymSecretVar] = p.data.PseudonymSecret
	}
	return vars
}

func (s *Stage) statements(p *Pipeline) []awsiam.PolicyStatement {
	may := []awsiam.PolicyStatement{
		mayConsume(s.Queue.QueueArn()),
		maySend("RetryAndBury", s.Queue.QueueArn(), s.DLQ.QueueArn()),
	}
	may = append(may, mayClaim(p.data.Claims.BucketArn())...)
	if next := s.next(p); next != nil {
		may = append(may, mayPublish(next.Topic.TopicArn()))
	}
	if secrets := s.secrets(p); len(secrets) > 0 {
		may = append(may, mayReadSecrets(secrets...))
	}
	if s.Spec.Name == spec.Ingest {
		may = append(may, p.kafkaStatements()...)
	}
	if key := p.o.Deployment.SecretKeyARN; key != "" && s.usesGivenSecrets(p) {
		may = append(may, mayDecrypt(&key))
	}
	return may
}

// secrets that the function reads, or Lambda's Kafka pollers with its role.
func (s *Stage) secrets(p *Pipeline) []*string {
	var all []*string
	if spec.UsesStore(s.Spec.Name) {
		all = append(all, p.data.MongoSecret)
	}
	if spec.UsesPseudonyms(s.Spec.Name) {
		all = append(all, p.data.PseudonymSecret)
	}
	if s.Spec.Name == spec.Ingest {
		all = append(all, p.kafkaSecrets()...)
	}
	return all
}

// usesGivenSecrets says whether one of the secrets is not of the stack Data.
func (s *Stage) usesGivenSecrets(p *Pipeline) bool {
	return spec.UsesStore(s.Spec.Name) && p.o.Deployment.MongoSecretARN != "" ||
		s.Spec.Name == spec.Ingest && len(p.kafkaSecrets()) > 0
}
