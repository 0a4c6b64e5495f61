package spec

import (
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	testSecret  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf"
	testCluster = "arn:aws:kafka:eu-west-1:123456789012:cluster/events/1a2b3c4d-1"
)

func load(t *testing.T, context map[string]any) Deployment {
	t.Helper()
	d, err := LoadDeployment(context)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeploymentDefaults(t *testing.T) {
	d := load(t, map[string]any{"@aws-cdk/core:x": true, "aws:cdk:y": []any{"z"}, "vpc-provider:account=1": map[string]any{}})
	if d.Target != TargetAWS || d.Architecture != ARM64 || d.Kafka != KafkaNone || d.Rollout != RolloutCanary ||
		d.Removal != RemovalRetain || !d.TerminationProtection || !d.FunctionURL || d.MaxConcurrency != 100 {
		t.Errorf("on AWS: %+v", d)
	}
	if d.KafkaGroup != "millrace-dev-ingest" {
		t.Errorf("consumer group %s", d.KafkaGroup)
	}
	want := map[string]string{"MILLRACE_ENV": "dev", "MILLRACE_PACK_ENCODING": "zstd"}
	if !reflect.DeepEqual(d.Variables, want) || d.Settings.PackEncoding != PackZstd || d.Settings.Env != "dev" {
		t.Errorf("variables %v, settings %+v", d.Variables, d.Settings)
	}
	l := load(t, map[string]any{"target": "localstack"})
	if l.Architecture != runtime.GOARCH || l.Rollout != RolloutAtOnce || l.Removal != RemovalDestroy || l.TerminationProtection {
		t.Errorf("on LocalStack: %+v", l)
	}
}

func TestDeploymentSettings(t *testing.T) {
	d := load(t, map[string]any{
		"env": "prod", "logLevel": "warn", "packEncoding": "s2", "maxRedrives": 7.0, "functionUrl": false,
		"kafka": "self", "kafkaBootstrapServers": "a.example.com:9096, b.example.com:9096", "kafkaSaslSecretArn": testSecret,
		"kafkaRecordAge": "1h", "pollersMin": "5", "lagWarning": "2500", "errorRateHigh": 12.5,
	})
	want := map[string]string{
		"MILLRACE_ENV": "prod", "MILLRACE_LOG_LEVEL": "warn", "MILLRACE_PACK_ENCODING": "s2", "MILLRACE_MAX_REDRIVES": "7",
	}
	if !reflect.DeepEqual(d.Variables, want) {
		t.Errorf("variables %v", d.Variables)
	}
	if !slices.Equal(d.KafkaBootstrapServers, []string{"a.example.com:9096", "b.example.com:9096"}) ||
		d.KafkaRecordAge != time.Hour || d.FunctionURL || d.KafkaGroup != "millrace-prod-ingest" {
		t.Errorf("%+v", d)
	}
	if !reflect.DeepEqual(d.Thresholds, Values{"lagWarning": 2500, "errorRateHigh": 12.5}) {
		t.Errorf("thresholds %v", d.Thresholds)
	}
	if d.PollersMin != 5 || d.MaxConcurrency != 0 {
		t.Errorf("provisioned pollers with a limit of their own: %d, concurrency %d", d.PollersMin, d.MaxConcurrency)
	}
}

// Every row sets the field that it is named for, and only that one.
func TestEveryDeploymentRowSetsItsField(t *testing.T) {
	for i := range DeploymentTable {
		row := &DeploymentTable[i]
		var d Deployment
		field := reflect.ValueOf(&d).Elem().FieldByName(row.Name)
		if !field.IsValid() {
			t.Errorf("%s: no such field", row.Name)
			continue
		}
		if reflect.ValueOf(row.into(&d)).Pointer() != field.Addr().Pointer() {
			t.Errorf("%s goes elsewhere", row.Name)
		}
	}
	const others = 3 // Thresholds, Settings, Variables
	if n := reflect.TypeFor[Deployment]().NumField(); n != len(DeploymentTable)+others {
		t.Errorf("%d fields, %d rows", n, len(DeploymentTable))
	}
}

// Every default of the table is allowed by its own row, for both targets.
func TestDeploymentDefaultsAreAllowed(t *testing.T) {
	for i := range DeploymentTable {
		row := &DeploymentTable[i]
		for _, local := range []bool{false, true} {
			var d Deployment
			if err := row.parse(&d, row.defaultOn(local)); err != nil {
				t.Errorf("%s: %v", row.Key, err)
			}
		}
	}
}

func TestDeploymentErrors(t *testing.T) {
	for _, c := range []struct {
		context map[string]any
		want    []string
	}{
		{map[string]any{"tagret": "aws", "kafkaTopics": "x", "loglevel": "info", "somethingElse": "1"}, []string{
			"kafkaTopics: there is no such setting; did you mean kafkaTopic?",
			"loglevel: there is no such setting; did you mean logLevel?",
			"somethingElse: there is no such setting",
			"tagret: there is no such setting; did you mean target?",
		}},
		{map[string]any{"target": "azure", "architecture": "mips", "logRetentionDays": "8", "functionUrl": "yes", "env": "Prod", "vpc": "mine",
			"kafkaClusterArn": "events", "kafkaBootstrapServers": "a:1,b", "kafkaBatchSize": "0", "kafkaRecordAge": "1 hour", "retryBase": "2"}, []string{
			`architecture: "mips" is none of arm64, amd64, host`,
			`env: "Prod" is wrong: it is to be lower-case letters, digits and - only, a letter first and no - last`,
			`functionUrl: "yes" is neither true nor false`,
			`kafkaBatchSize: 0 is out of range: 1 to 10000`,
			`kafkaBootstrapServers: "b" is wrong: it is to be a host and a port, such as broker-1.example.com:9096`,
			`kafkaClusterArn: "events" is wrong: it is to be an ARN such as arn:aws:kafka:eu-west-1:123456789012:cluster/events/1a2b3c4d`,
			`kafkaRecordAge: "1 hour" is not a duration such as 500ms, 2s or 5m`,
			`logRetentionDays: "8" is none of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653`,
			`retryBase: "2" is not a duration such as 500ms, 2s or 5m`,
			`target: "azure" is none of aws, localstack`,
			`vpc: "mine" is wrong: it is to be none, new or the id of a VPC, such as vpc-0a1b2c3d4e5f60718`,
		}},
		{map[string]any{"lagWarning": "many", "errorRateHigh": "101", "lagWarnign": "1"}, []string{
			"errorRateHigh: 101 is out of range: 0.01 to 100", `lagWarning: "many" is not a number`,
			"lagWarnign: there is no such setting; did you mean lagWarning?"}},
		{map[string]any{"kafkaTopic": []any{"a"}}, []string{"kafkaTopic: a text, a number or true or false is wanted, not []interface {}"}},
	} {
		check(t, c.context, c.want)
	}
}

func TestDeploymentContradictions(t *testing.T) {
	for _, c := range []struct {
		context map[string]any
		want    []string
	}{
		{map[string]any{"kafka": "self"}, []string{
			"kafka: self needs kafkaBootstrapServers", "kafka: self on AWS needs kafkaSaslSecretArn, or a vpc in which the brokers are"}},
		{map[string]any{"kafka": "msk"}, []string{"kafka: msk needs kafkaClusterArn"}},
		{map[string]any{"kafka": "msk", "kafkaClusterArn": testCluster, "kafkaCaSecretArn": testSecret}, []string{
			"kafkaCaSecretArn: means something only with kafka=self, and that is msk"}},
		{map[string]any{"kafkaTopic": "x"}, []string{"kafkaTopic: means something only with kafka=self or msk or create, and that is none"}},
		{map[string]any{"kafka": "create", "kafkaInstance": "express.m7g.xlarge"}, []string{
			"kafkaInstance: means something only with kafkaCreate=express, and that is serverless"}},
		{map[string]any{"kafka": "create", "target": "localstack"}, []string{
			"kafka: LocalStack cannot create a cluster: use self with the bootstrap servers of a Kafka that runs"}},
		{map[string]any{"kafka": "create", "kafkaPollersMin": "20", "kafkaBatchWindow": "1500ms"}, []string{
			"kafkaBatchWindow: 1.5s is not in whole seconds", "kafkaPollersMin: 20 is more than kafkaPollersMax, 10"}},
		{map[string]any{"kafka": "create", "kafkaReplication": "3", "kafkaMinInsync": "2", "kafkaRetention": "90m1ms"}, []string{
			"kafkaMinInsync: means something only with kafka=self or msk, and that is create",
			"kafkaReplication: means something only with kafka=self or msk, and that is create",
			"kafkaRetention: 1h30m0.001s is not in whole seconds"}},
		{map[string]any{"kafka": "msk", "kafkaClusterArn": testCluster, "kafkaReplication": "2", "kafkaMinInsync": "3"}, []string{
			"kafkaMinInsync: 3 is more than kafkaReplication, 2: a producer with acks=all could write nothing"}},
		{map[string]any{"kafkaPartitions": "12", "kafkaRetention": "24h"}, []string{
			"kafkaPartitions: means something only with kafka=self or msk or create, and that is none",
			"kafkaRetention: means something only with kafka=self or msk or create, and that is none"}},
		{map[string]any{"pseudonymKey": "correct horse battery"}, []string{
			"pseudonymKey: a secret is not given here: put it into the secret millrace/dev/pseudonym-key"}},
		{map[string]any{"retryBase": "10m", "claimBytes": "256KiB", "natGateways": "1"}, []string{
			"claimBytes: a topic takes messages of at most 256KiB, attributes included: at most 250KiB",
			"natGateways: only a new VPC gets them: vpc=new or kafka=create",
			"retryBase: 10m0s is more than retryMax, 5m0s"}},
		{map[string]any{"maxConcurrency": "1", "pollersMax": "10"}, []string{
			"maxConcurrency: 1 is too few: Lambda takes 2 to 1000, or 0 for no limit", "pollersMax: means something only with pollersMin"}},
		{map[string]any{"pollersMin": "1"}, []string{"pollersMin: 1 is too few: Lambda takes 2 to 200, or 0 for its standard mode"}},
		{map[string]any{"pollersMin": "20", "pollersMax": "10", "maxConcurrency": "50"}, []string{
			"maxConcurrency: Lambda does not take it together with pollersMin", "pollersMin: 20 is more than pollersMax, 10"}},
		{map[string]any{"alarmShorten": "6", "pageCritical": "a@example.com,https://a.example.com,a@example.com", "pageChat": "b@example.com"}, []string{
			"alarmShorten: only for LocalStack: on AWS an alarm with a shorter period would judge missing data",
			"pageChat: \"b@example.com\" is no https:// address", "pageCritical: a@example.com is there twice"}},
		{map[string]any{"reservedConcurrency": "50"}, []string{
			"maxConcurrency: 100 is more than reservedConcurrency, 50: what is polled would be throttled"}},
		{map[string]any{"target": "localstack", "rollout": "canary", "vpc": "new"}, []string{
			"rollout: LocalStack has no CodeDeploy: only all-at-once", "vpc: LocalStack runs functions outside of any VPC"}},
	} {
		check(t, c.context, c.want)
	}
}

// A key in two tables would set only one of the two.
func TestDeploymentKeysDiffer(t *testing.T) {
	keys := deploymentKeys()
	slices.Sort(keys)
	for i := range keys[1:] {
		if keys[i] == keys[i+1] {
			t.Errorf("%s is there twice", keys[i])
		}
	}
}

// check compares the lines of the error, in any order.
func check(t *testing.T, context map[string]any, want []string) {
	t.Helper()
	_, err := LoadDeployment(context)
	if err == nil {
		t.Errorf("%v was accepted", context)
		return
	}
	got := strings.Split(err.Error(), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v: got\n%s\nwant\n%s", context, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(err.Error(), "horse") {
		t.Errorf("a secret is printed: %v", err)
	}
}

// No context leaves a setting that is only half read: whatever one key is given, the
// answer is a deployment or an error that names a key.
func FuzzLoadDeployment(f *testing.F) {
	for i := range DeploymentTable {
		f.Add(DeploymentTable[i].Key, DeploymentTable[i].Default)
	}
	f.Add("logLevel", "warn")
	f.Add("x", "")
	f.Fuzz(func(t *testing.T, key, value string) {
		d, err := LoadDeployment(map[string]any{key: value})
		if err == nil && (d.Target == "" || d.Settings.Env == "" || d.Variables["MILLRACE_ENV"] != d.Settings.Env) {
			t.Errorf("%q=%q: %+v", key, value, d)
		}
		if err != nil && !strings.Contains(err.Error(), ": ") {
			t.Errorf("%q=%q: %v", key, value, err)
		}
	})
}
