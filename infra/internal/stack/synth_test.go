package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

const (
	testAccount = "123456789012"
	testRegion  = "eu-west-1"
	testVPC     = "vpc-0a1b2c3d4e5f60718"
	testSecret  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf"
	testCluster = "arn:aws:kafka:eu-west-1:123456789012:cluster/events/1a2b3c4d-1"
	testKey     = "arn:aws:kms:eu-west-1:123456789012:key/1a2b3c4d"
)

// variations of the deployment that tests look at. Architectures are given, so that the
// machine that tests does not matter.
var variations = map[string]map[string]any{
	"aws": {},
	"localstack": {
		"target": "localstack", "architecture": "amd64", "kafka": "self", "kafkaBootstrapServers": "127.0.0.1:9092",
	},
	"aws-self": {
		"kafka": "self", "kafkaBootstrapServers": "a.example.com:9096,b.example.com:9096",
		"kafkaSaslSecretArn": testSecret, "kafkaCaSecretArn": testSecret + "2", "secretKeyArn": testKey, "kafkaBatchWindow": "2s", "kafkaRecordAge": "1h",
		"kafkaRetries": "5", "mongoSecretArn": testSecret + "3", "pollersMin": "4", "pollersMax": "50", "reservedConcurrency": "200",
		"functionUrl": "false", "rollout": "all-at-once", "lagHigh": "20000",
		"pageCritical": "ann@example.com,https://events.example.com/integration/key", "pageSecondary": "bob@example.com", "pageChat": "https://chat.example.com/hook",
	},
	"aws-msk": {"kafka": "msk", "kafkaClusterArn": testCluster, "vpc": testVPC},
	"aws-serverless": {
		"kafka": "create", "vpc": "new", "removal": "destroy", "terminationProtection": "false", "rollout": "linear",
	},
	"aws-express": {"kafka": "create", "kafkaCreate": "express", "natGateways": "2", "objectLockDays": "30"},
}

// parity is one deployment that both targets take, for the comparison of the two.
var parity = map[string]any{
	"kafka": "self", "kafkaBootstrapServers": "a.example.com:9096", "kafkaSaslSecretArn": testSecret, "architecture": "amd64",
}

// synthesized are the templates of one variation.
type synthesized struct {
	deployment     spec.Deployment
	data, pipeline template
	protected      bool // termination protection of Data
}

var cache sync.Map // JSON of the context → func() (*synthesized, error)

// synth makes the templates, once per context and run of the tests.
func synth(t *testing.T, context map[string]any) *synthesized {
	t.Helper()
	needNode(t)
	key, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	once, _ := cache.LoadOrStore(string(key), sync.OnceValues(func() (*synthesized, error) { return synthesize(context) }))
	s, err := once.(func() (*synthesized, error))()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// needNode skips without Node.js, which the CDK runs in.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err == nil {
		return
	}
	if strings.Contains(os.Getenv("MILLRACE_REQUIRE"), "node") {
		t.Fatal("there is no node on the PATH, and MILLRACE_REQUIRE wants it")
	}
	t.Skip("there is no node on the PATH: the CDK runs in it")
}

func synthesize(context map[string]any) (*synthesized, error) {
	d, err := spec.LoadDeployment(context)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "millrace-infra-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	o := Options{Deployment: d, Functions: filepath.Join(dir, "functions"), Account: testAccount, Region: testRegion}
	if err := placeholders(&o); err != nil {
		return nil, err
	}
	context, err = cliContext()
	if err != nil {
		return nil, err
	}
	app := awscdk.NewApp(&awscdk.AppProps{
		Outdir: &dir, Context: &context, AnalyticsReporting: jsii.Bool(false),
	})
	data, _, err := Add(app, o)
	if err != nil {
		return nil, err
	}
	app.Synth(nil)
	s := &synthesized{deployment: d, protected: *data.Stack.TerminationProtection()}
	for name, to := range map[string]*template{"Data": &s.data, "Pipeline": &s.pipeline} {
		if *to, err = readTemplate(filepath.Join(dir, name+".template.json")); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// placeholders stand for the functions' zips: the templates hold nothing of them but hashes.
func placeholders(o *Options) error {
	for _, name := range spec.Functions() {
		if err := os.MkdirAll(filepath.Dir(o.zip(name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(o.zip(name), []byte(name), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// cliContext is what the CLI would pass on: the feature flags of cdk.json, and what it
// looks up in the account.
func cliContext() (map[string]any, error) {
	b, err := os.ReadFile("../../../cdk.json")
	if err != nil {
		return nil, err
	}
	var c struct{ Context map[string]any }
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	zones := []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}
	c.Context["availability-zones:account="+testAccount+":region="+testRegion] = zones
	var subnets []map[string]any
	for i, zone := range zones {
		subnets = append(subnets, map[string]any{
			"subnetId": fmt.Sprintf("subnet-0a1b2c3d4e5f6070%d", i), "cidr": fmt.Sprintf("10.0.%d.0/24", i),
			"availabilityZone": zone, "routeTableId": fmt.Sprintf("rtb-0a1b2c3d4e5f6070%d", i),
		})
	}
	c.Context["vpc-provider:account="+testAccount+":filter.vpc-id="+testVPC+":region="+testRegion+":returnAsymmetricSubnets=true"] = map[string]any{
		"vpcId": testVPC, "vpcCidrBlock": "10.0.0.0/16", "ownerAccountId": testAccount, "availabilityZones": []string{},
		"subnetGroups": []map[string]any{{"name": "Private", "type": "Private", "subnets": subnets}},
	}
	return c.Context, nil
}

// template is a CloudFormation template.
type template struct {
	Resources map[string]resource
	Outputs   map[string]any

	text []byte // of all of it, indented, hashes of assets and versions replaced
}

type resource struct {
	Type                                string
	Properties                          map[string]any
	DeletionPolicy, UpdateReplacePolicy string
	UpdatePolicy                        map[string]any
	DependsOn                           []string
}

var (
	assetHash   = regexp.MustCompile(`[0-9a-f]{64}`)
	versionHash = regexp.MustCompile(`(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}`)
)

func readTemplate(path string) (t template, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return t, err
	}
	b = assetHash.ReplaceAll(b, []byte(strings.Repeat("0", 64)))
	b = versionHash.ReplaceAll(b, []byte("$1"))
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("%s: %w", path, err)
	}
	t.text, err = indented(b)
	return t, err
}

// indented writes a template for people. An alarm is one line: TestAlarmsAreTheTable says
// what is wrong with it, and there are a hundred.
func indented(b []byte) ([]byte, error) {
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	lines := make(map[string][]byte)
	for id, r := range all["Resources"].(map[string]any) {
		if kind, _ := at(r, "Type").(string); strings.HasSuffix(kind, "Alarm") {
			line, err := json.Marshal(r)
			if err != nil {
				return nil, err
			}
			lines["alarm "+id] = line
			all["Resources"].(map[string]any)[id] = "alarm " + id
		}
	}
	text, err := json.MarshalIndent(all, "", " ")
	for name, line := range lines {
		text = bytes.Replace(text, []byte(`"`+name+`"`), line, 1)
	}
	return text, err
}

// of are the resources of a type by logical id.
func (t template) of(kind string) map[string]resource {
	found := make(map[string]resource)
	for id, r := range t.Resources {
		if r.Type == kind {
			found[id] = r
		}
	}
	return found
}

// at follows keys and list indexes down into a value of a template; nil if it ends early.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// list is v, or v alone where a template may have either.
func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// text is v as JSON, for comparisons.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
