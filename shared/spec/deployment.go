package spec

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Deployment is what a deployment can choose: the context of the CDK app in infra
// (`cdk deploy -c key=value`). LoadDeployment reads it; DeploymentTable says what each
// setting means.
type Deployment struct {
	Target       string // TargetAWS or TargetLocalStack
	Architecture string // ARM64 or AMD64, as Go calls them

	Kafka                 string // KafkaNone, KafkaSelf, KafkaMSK or KafkaCreate
	KafkaClusterARN       string
	KafkaBootstrapServers []string
	KafkaTopic            string
	KafkaPartitions       int
	KafkaReplication      int           // 0: the brokers' default
	KafkaMinInsync        int           // 0: the brokers' default
	KafkaRetention        time.Duration // how long the topic keeps records
	KafkaGroup            string
	KafkaSASLSecretARN    string
	KafkaCASecretARN      string
	KafkaCreate           string // CreateServerless or CreateExpress
	KafkaInstance         string
	KafkaStartingPosition string
	KafkaBatchSize        int
	KafkaBatchWindow      time.Duration // 0: Lambda's own, 500 ms
	KafkaPollersMin       int
	KafkaPollersMax       int
	KafkaRetries          int           // -1: without limit
	KafkaRecordAge        time.Duration // 0: any

	VPC            string // VPCNone, VPCNew or the id of one
	NATGateways    int
	MongoSecretARN string // "": the Data stack makes one
	SecretKeyARN   string // of the key that given secrets are encrypted with

	LogRetentionDays    int
	ReservedConcurrency int // 0: none
	MaxConcurrency      int // of each SQS event source; 0: no limit
	PollersMin          int // of each SQS event source; 0: not provisioned
	PollersMax          int
	FunctionURL         bool
	Rollout             string // RolloutCanary, RolloutLinear or RolloutAtOnce

	ObjectLockDays        int // 0: no Object Lock
	TerminationProtection bool
	Removal               string // RemovalRetain or RemovalDestroy

	// Where pages go besides the queue Pages: Endpoints.
	PageCritical, PageHigh, PageMedium, PageLow []string
	PageSecondary, PageEngineering              []string
	PageChat                                    []string
	AlarmShorten                                int // divides the periods of alarms

	// Thresholds of alarms that differ from their defaults.
	Thresholds Values
	// Settings of the functions, and Variables: those that differ from a function's own
	// default, by the name of their environment variable.
	Settings  Settings
	Variables map[string]string
}

// Choices of deployments.
const (
	TargetAWS        = "aws"
	TargetLocalStack = "localstack"

	ARM64       = "arm64"
	AMD64       = "amd64"
	HostMachine = "host"

	KafkaNone   = "none"
	KafkaSelf   = "self"
	KafkaMSK    = "msk"
	KafkaCreate = "create"

	CreateServerless = "serverless"
	CreateExpress    = "express"

	VPCNone = "none"
	VPCNew  = "new"

	RolloutCanary = "canary"
	RolloutLinear = "linear"
	RolloutAtOnce = "all-at-once"

	RemovalRetain  = "retain"
	RemovalDestroy = "destroy"
)

// LocalStack says whether the target is LocalStack.
func (d *Deployment) LocalStack() bool { return d.Target == TargetLocalStack }

// deployed are the defaults of run-time settings that differ where SNS and SQS carry the
// packs: those bill per 64 KiB.
var deployed = map[string]string{"packEncoding": PackZstd}

// LoadDeployment reads a deployment from the context of a CDK app. Its keys are those of
// DeploymentTable, of Thresholds, and of Table in lower camel case (logLevel for
// LogLevel); keys of the CDK itself, which hold a colon or begin with "@", are passed
// over. The error names everything that is wrong, one line each: unknown keys, wrong
// values, contradictions.
func LoadDeployment(context map[string]any) (Deployment, error) {
	given, errs := contextTexts(context)
	set := maps.Clone(given)

	var d Deployment
	d.Variables = d.variables(given)
	local := given["target"] == TargetLocalStack
	errs = append(errs, fill(&d, DeploymentTable, given, deploymentKey, local)...)
	errs = append(errs, fill(&d.Settings, Table, given, (*Row[Settings]).contextKey, local)...)
	errs = append(errs, d.thresholds(given)...)
	errs = append(errs, unknown(given, deploymentKeys(), 0)...)
	if len(errs) == 0 {
		d.resolve(set)
		errs = d.contradictions(set)
	}
	if len(errs) > 0 {
		return Deployment{}, errors.Join(errs...)
	}
	return d, nil
}

func deploymentKey(row *Row[Deployment]) string { return row.Key }

// deploymentKeys are all keys that LoadDeployment knows.
func deploymentKeys() []string {
	keys := append(names(DeploymentTable, deploymentKey), names(Table, (*Row[Settings]).contextKey)...)
	for _, t := range Thresholds {
		keys = append(keys, t.Name)
	}
	return keys
}

// thresholds takes those in given out of it.
func (d *Deployment) thresholds(given map[string]string) []error {
	d.Thresholds = make(Values)
	var errs []error
	for _, t := range Thresholds {
		text := given[t.Name]
		delete(given, t.Name)
		if text == "" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			errs = append(errs, &settingError{t.Name, fmt.Errorf("%q is not a number", text)})
			continue
		}
		d.Thresholds[t.Name] = v
	}
	return append(errs, d.Thresholds.Check()...)
}

// variables are the environment variables of the run-time settings in given, where the
// defaults of deployments are added.
func (d *Deployment) variables(given map[string]string) map[string]string {
	for key, value := range deployed {
		if given[key] == "" {
			given[key] = value
		}
	}
	vars := make(map[string]string)
	for i := range Table {
		row := &Table[i]
		if value := given[row.contextKey()]; value != "" && row.Kind != Key {
			vars[row.Key] = value
		}
	}
	return vars
}

// contextTexts are the values of the context that are not the CDK's own, as text.
func contextTexts(context map[string]any) (map[string]string, []error) {
	texts := make(map[string]string)
	var errs []error
	for key, value := range context {
		if strings.Contains(key, ":") || strings.HasPrefix(key, "@") {
			continue
		}
		switch v := value.(type) {
		case string:
			texts[key] = v
		case bool:
			texts[key] = strconv.FormatBool(v)
		case float64:
			texts[key] = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			errs = append(errs, &settingError{key, fmt.Errorf("a text, a number or true or false is wanted, not %T", value)})
		}
	}
	return texts, errs
}

// resolve puts in what follows from other settings.
func (d *Deployment) resolve(set map[string]string) {
	d.Variables["MILLRACE_ENV"] = d.Settings.Env
	if d.Architecture == HostMachine {
		d.Architecture = runtime.GOARCH
	}
	if d.KafkaGroup == "" {
		d.KafkaGroup = ResourceName(d.Settings.Env, Ingest)
	}
	if d.PollersMin > 0 && set["maxConcurrency"] == "" {
		d.MaxConcurrency = 0 // provisioned pollers have a limit of their own
	}
}
