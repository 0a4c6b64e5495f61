package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// newMonitor makes the function monitor and its schedule. It looks at Kafka and at the
// event store, so it reads the secrets of both.
func newMonitor(p *Pipeline) function {
	scope := constructs.NewConstruct(p.Stack, jsii.String(spec.Monitor))
	d := &p.o.Deployment
	vars := map[string]*string{spec.MongoSecretVar: p.data.MongoSecret}
	for name, value := range d.MonitorKafkaVars() {
		vars[name] = &value
	}
	may := []awsiam.PolicyStatement{mayReadSecrets(append(p.kafkaSecrets(), p.data.MongoSecret)...)}
	if given := d.SecretKeyARN; given != "" && (d.MongoSecretARN != "" || len(p.kafkaSecrets()) > 0) {
		may = append(may, mayDecrypt(&given))
	}
	if arn := p.clusterARN(); arn != nil && d.MonitorsKafka() {
		vars[spec.KafkaClusterVar] = arn
		may = append(may, mayWatchMSK(arn, d.KafkaTopic, d.KafkaGroup)...)
	}
	f := newFunction(scope, p, functionProps{
		name: spec.Monitor, description: "Millrace: measures what no invocation can, such as the consumer lag",
		timeout: spec.MonitorTimeout, memory: spec.MonitorMemory, environment: vars, statements: may,
	})
	p.every(scope, spec.Monitor, "Measures Kafka and the event store", spec.MonitorEvery, f)
	p.roll(scope, spec.Monitor, f)
	return f
}
