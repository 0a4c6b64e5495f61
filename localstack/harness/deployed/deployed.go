package deployed

import (
	"errors"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/localstack/host"
)

// Pipeline is Millrace, deployed.
type Pipeline struct {
	Env      string // name of the environment, part of the name of every resource
	Kafka    *harness.Server
	Topic    string // that ingest reads, of 4 partitions
	Group    string // that it reads it as
	Mongo    *harness.Server
	MongoURI string // connection string of the event store, with its database
	AWS      aws.Config
	Top      string // folder of the checkout

	cdk      host.CDK
	settings []string // of the deployment, "key=value"
	phases   []phase
}

// phase of making the deployment, and how long it took.
type phase struct {
	name string
	took time.Duration
}

// The one deployment of a test binary.
var (
	mu       sync.Mutex
	pipeline *Pipeline
	failed   error
)

// Get is the deployment that the tests of this binary share; the first call makes it, and
// logs how long each phase took. Without LocalStack, Kafka or MongoDB, or without Node.js
// for the CDK, the test is skipped, or fails where MILLRACE_REQUIRE says so.
//
// settings are further settings of the deployment (spec.DeploymentTable), as "key=value".
// Only those of the first call count.
func Get(t testing.TB, settings ...string) *Pipeline {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		harness.Missing(t, "localstack", errors.New("to deploy to it the CDK needs Node.js, and there is no node on the PATH"))
	}
	mu.Lock()
	defer mu.Unlock()
	if failed != nil {
		t.Fatalf("the deployment failed before: %v", failed)
	}
	if pipeline != nil {
		return pipeline
	}
	pipeline, failed = deploy(t, settings)
	if failed != nil {
		t.Fatal(failed)
	}
	for _, p := range pipeline.phases {
		t.Logf("%-16s %s", p.name, p.took.Round(100*time.Millisecond))
	}
	return pipeline
}
