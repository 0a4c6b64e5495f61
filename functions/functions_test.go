// Package functions_test runs the functions' real bootstraps on a Lambda Runtime API.
package functions_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/functions/internal/awsstub"
	"github.com/millrace-pipeline/millrace/functions/internal/runtimeapi"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/conformance/emftest"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

var (
	built   sync.Map // name → func() (path, error)
	binDir  string
	timeout = 30 * time.Second
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "millrace-functions-")
	if err != nil {
		panic(err)
	}
	binDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// bootstrap builds a function once per run of the tests.
func bootstrap(t testing.TB, name string) string {
	t.Helper()
	once, _ := built.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		path := filepath.Join(binDir, name)
		out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", path, "./"+name).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return path, err
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	topicARN = "arn:aws:sns:us-east-1:000000000000:next"
	queueURL = "https://sqs.us-east-1.amazonaws.com/000000000000/own"
	dlqURL   = "https://sqs.us-east-1.amazonaws.com/000000000000/own-dlq"
)

func start(t testing.TB, name string, memoryMB int, s *awsstub.Stub, env ...string) *runtimeapi.Environment {
	t.Helper()
	env = append([]string{
		"AWS_ENDPOINT_URL=" + s.URL, "NEXT_TOPIC_ARN=" + topicARN, "QUEUE_URL=" + queueURL, "DLQ_URL=" + dlqURL, "CLAIMS_BUCKET=claims",
	}, env...)
	e, err := runtimeapi.Start(t.Context(), runtimeapi.Options{Bootstrap: bootstrap(t, name), Env: env, MemoryMB: memoryMB})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// kafkaPayload is an invocation with n flights of about 0.6 KB, or with as many as fit
// into Lambda's 6 MB; it says how many.
func kafkaPayload(tb testing.TB, n int) ([]byte, int) {
	tb.Helper()
	flights := realFlights(tb)
	records := make([]lambdaio.KafkaRecord, n)
	for i := range records {
		records[i] = lambdaio.KafkaRecord{
			KafkaRecord: pipeline.KafkaRecord{Topic: "events", Offset: int64(i)}, Timestamp: time.Now(),
			Value: flights(i),
		}
	}
	return lambdaio.AppendKafkaEvent(nil, []string{"127.0.0.1:9092"}, records)
}

func flight(i int) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"%09d","source":"/bts/nyc","type":"gov.bts.flight.recorded","subject":"N%d",`+
		`"time":"2013-01-01T10:00:00Z","datacontenttype":"application/json","tenantid":"ua","partitionkey":"N%d","data":{"dep_time":517,`+
		`"sched_dep_time":515,"dep_delay":2,"arr_time":830,"sched_arr_time":819,"arr_delay":11,"carrier":"UA","flight":1545,"tailnum":"N14228",`+
		`"origin":"EWR","dest":"IAH","air_time":227,"distance":1400,"date":"2013-01-01"}}`, i, i%4000, i%4000)
}

func TestIngest(t *testing.T) {
	s := awsstub.Start(t)
	e := start(t, "ingest", 512, s)
	payload, _ := kafkaPayload(t, 1000)
	answer, err := e.Invoke(payload, timeout)
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Fatalf("%s, %v", answer, err)
	}
	n := 0
	for _, m := range s.Take(topicARN) {
		n += unpack(t, m)
	}
	if n != 1000 {
		t.Errorf("%d events published, want 1000", n)
	}

	s.Refuse(func(string) bool { return true })
	payload, _ = kafkaPayload(t, 3)
	answer, err = e.Invoke(payload, timeout)
	if err != nil || !strings.Contains(string(answer), `{"partition":"events-0","offset":0}`) {
		t.Errorf("nothing could be published: %s, %v", answer, err)
	}
	s.Refuse(nil)

	answer, err = e.Invoke([]byte(`{"version":"2.0","rawPath":"/","headers":{"content-type":"application/cloudevents+json"},`+
		`"requestContext":{"http":{"method":"POST"}},"body":"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}"}`), timeout)
	if err != nil || !strings.Contains(string(answer), `"statusCode":202`) || len(s.Take(topicARN)) != 1 {
		t.Errorf("function URL: %s, %v", answer, err)
	}

	if _, err = e.Invoke([]byte(`{"hello":1}`), timeout); err == nil || !strings.Contains(err.Error(), "unsupported_content_type") {
		t.Errorf("an unknown payload: %v", err)
	}
	checkMetrics(t, e.Log())
}

// checkMetrics: what the function logged has metrics that CloudWatch takes.
func checkMetrics(t *testing.T, log string) {
	t.Helper()
	c, err := emftest.New()
	if err != nil {
		t.Fatal(err)
	}
	docs, err := c.Lines([]byte(log))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i := range docs {
		v, _ := docs[i].Sum("EventThroughput")
		sum += v
	}
	if sum != 1001 {
		t.Errorf("EventThroughput adds up to %v, want 1000 from Kafka and 1 by HTTP, in:\n%s", sum, log)
	}
}

func unpack(t *testing.T, m awsstub.Message) int {
	t.Helper()
	a, foreign := pipeline.ParseAttrs(m.Attributes)
	items, err := pipeline.Unpack(&pipeline.Delivery{Body: []byte(m.Body), Attrs: a, Foreign: foreign}, 10<<20)
	if err != nil {
		t.Fatal(err)
	}
	return len(items)
}

func TestProcess(t *testing.T) {
	s := awsstub.Start(t)
	e := start(t, "process", 512, s)
	body := append(append([]byte{'['}, flight(1)...), `,{"specversion":"1.0","id":"bad","source":"/s","type":"gov.bts.flight.recorded","data":1}]`...)
	payload, _ := lambdaio.AppendSQSEvent(nil, "arn:aws:sqs:us-east-1:000000000000:own", []queue.Received{{
		ID: "m", Body: body, ReceiveCount: 1, Sent: time.Now(), Attributes: map[string]string{"content-type": "application/cloudevents-batch+json"},
	}})
	answer, err := e.Invoke(payload, timeout)
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Fatalf("%s, %v", answer, err)
	}
	if m := s.Take(topicARN); len(m) != 1 || unpack(t, m[0]) != 1 {
		t.Errorf("published %v", m)
	}
	if m := s.Take(dlqURL); len(m) != 1 || m[0].Attributes["reason"] != "handler_rejected" {
		t.Errorf("dead letters %v", m)
	}
}

// Lambda ends an environment with SIGTERM; the function says so and goes in time.
func TestSIGTERM(t *testing.T) {
	e, err := runtimeapi.Start(t.Context(), runtimeapi.Options{Bootstrap: bootstrap(t, "ingest"), MemoryMB: 128, Env: []string{
		"AWS_ENDPOINT_URL=http://127.0.0.1:1", "NEXT_TOPIC_ARN=" + topicARN, "QUEUE_URL=" + queueURL, "DLQ_URL=" + dlqURL, "CLAIMS_BUCKET=c",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(e.Log(), "environment ends") {
		t.Errorf("no word of the end in the log:\n%s", e.Log())
	}
}

// A function that is wired wrongly says what is missing, all at once.
func TestMissingEnvironment(t *testing.T) {
	_, err := runtimeapi.Start(t.Context(), runtimeapi.Options{Bootstrap: bootstrap(t, "process"), Env: []string{"MILLRACE_RETRY_BASS=1s"}})
	if err == nil || !strings.Contains(err.Error(), "did you mean MILLRACE_RETRY_BASE?") {
		t.Errorf("a misspelt setting: %v", err)
	}
	_, err = runtimeapi.Start(t.Context(), runtimeapi.Options{Bootstrap: bootstrap(t, "process")})
	for _, name := range []string{"NEXT_TOPIC_ARN", "QUEUE_URL", "DLQ_URL", "CLAIMS_BUCKET"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("no word of %s: %v", name, err)
		}
	}
}
