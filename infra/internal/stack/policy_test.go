package stack

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// wide are the statements that allow something on every resource, or a family of
// actions, and why that is not wider than it must be. The key is resource type and Sid.
var wide = map[string]string{
	"AWS::KMS::Key ": "in a key's policy `*` is the key itself, and kms:* for the account's root is what lets IAM policies count " +
		"(AWS KMS Developer Guide, \"Default key policy\"); without a Sid it is that statement, or the CDK's for Secrets Manager, bound to it by kms:ViaService",
	"AWS::KMS::Key TopicsToQueues": "`*` is the key itself",
	"AWS::KMS::Key AlarmsToTopics": "`*` is the key itself",
	"AWS::KMS::Key Logs":           "`*` is the key itself",
	"AWS::IAM::Role Alarms":        "composite alarms are described only to who may describe all (Amazon CloudWatch API reference, DescribeAlarms)",
	"AWS::IAM::Role Network":       "EC2's actions on network interfaces know no single resource (AWS Lambda Developer Guide, \"Giving Lambda functions access to resources in an Amazon VPC\")",
}

// managed are the AWS managed policies in use.
var managed = map[string]string{
	"AWSCodeDeployRoleForLambdaLimited": "what CodeDeploy needs to move an alias; AWS keeps it up to date (AWS CodeDeploy User Guide, \"Create a service role\")",
}

// statement of a policy, with where it is.
type statement struct {
	where, kind, sid string
	allow            bool
	actions          []any
	resources        []any
	principal        any
	condition        any
}

// statements are those of all policies in the templates.
func statements(tpls ...template) []statement {
	var all []statement
	add := func(where, kind string, policy any) {
		for _, s := range list(at(policy, "Statement")) {
			sid, _ := at(s, "Sid").(string)
			all = append(all, statement{
				where: where, kind: kind, sid: sid, allow: at(s, "Effect") == "Allow", actions: list(at(s, "Action")),
				resources: list(at(s, "Resource")), principal: at(s, "Principal"), condition: at(s, "Condition"),
			})
		}
	}
	for _, tpl := range tpls {
		for id, r := range tpl.Resources {
			for _, p := range []string{"PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument", "ResourcePolicy"} {
				add(id, r.Type, r.Properties[p])
			}
			for _, p := range list(r.Properties["Policies"]) {
				add(id, r.Type, at(p, "PolicyDocument"))
			}
		}
	}
	return all
}

func TestNoPolicyIsWide(t *testing.T) {
	used := make(map[string]bool)
	for name, context := range variations {
		s := synth(t, context)
		for _, st := range statements(s.data, s.pipeline) {
			if !st.allow {
				continue
			}
			if text(st.principal) == `"*"` || strings.Contains(text(st.principal), `"*"`) {
				t.Errorf("%s: %s %q allows everybody", name, st.where, st.sid)
			}
			if !isWide(st) {
				continue
			}
			key := st.kind + " " + st.sid
			used[key] = true
			if wide[key] == "" {
				t.Errorf("%s: %s %q allows %s on %s, and no reason is on the list", name, st.where, st.sid, text(st.actions), text(st.resources))
			}
		}
	}
	for key := range wide {
		if !used[key] {
			t.Errorf("%q is on the list and in no template", key)
		}
	}
}

// isWide: a resource that is everything, or an action with a wildcard.
func isWide(s statement) bool {
	star := func(v any) bool {
		a, ok := v.(string)
		return ok && strings.HasSuffix(a, "*")
	}
	every := func(v any) bool { return v == "*" }
	return slices.ContainsFunc(s.actions, star) || slices.ContainsFunc(s.resources, every)
}

func TestManagedPoliciesHaveReasons(t *testing.T) {
	for name, context := range variations {
		for id, r := range synth(t, context).pipeline.of("AWS::IAM::Role") {
			for _, arn := range list(r.Properties["ManagedPolicyArns"]) {
				parts := list(at(arn, "Fn::Join", 1))
				path, _ := parts[len(parts)-1].(string)
				if managed[path[strings.LastIndex(path, "/")+1:]] == "" {
					t.Errorf("%s: %s has %s", name, id, text(arn))
				}
			}
		}
	}
}

// What each function may do, by the Sids of its statements; TestGolden has their content.
func TestFunctionsMayDoWhatTheyNeed(t *testing.T) {
	always := []string{"Key", "Log"}
	stage := append([]string{"Claims", "Consume", "ListClaims", "RetryAndBury"}, always...)
	for name, want := range map[string]map[string][]string{
		"aws": {
			spec.Ingest:  append([]string{"Publish"}, stage...),
			spec.Process: append([]string{"Publish", "Secrets"}, stage...),
			spec.Persist: append([]string{"Secrets"}, stage...),
			spec.Redrive: append([]string{"Consume", "Redrive"}, always...),
			spec.OnCall:  append([]string{"Publish", "Alarms", "GiveUp", "OpenPages", "ListPages"}, always...),
		},
		"aws-self": {
			spec.Ingest:  append([]string{"Publish", "ReportFailed", "Secrets", "SecretKey"}, stage...),
			spec.Process: append([]string{"Publish", "Secrets", "SecretKey"}, stage...),
			spec.Persist: append([]string{"Secrets", "SecretKey"}, stage...),
			spec.Redrive: append([]string{"Consume", "Redrive"}, always...),
		},
		"aws-msk": {
			spec.Ingest:  append([]string{"Publish", "ReportFailed", "Cluster", "Topic", "Group", "Network"}, stage...),
			spec.Process: append([]string{"Publish", "Secrets", "Network"}, stage...),
			spec.Persist: append([]string{"Secrets", "Network"}, stage...),
			spec.Redrive: append([]string{"Consume", "Redrive", "Network"}, always...),
		},
	} {
		s := synth(t, variations[name])
		for function, sids := range want {
			got := make(map[string]bool)
			for _, p := range list(at(s.roleOf(t, function), "Policies")) {
				for _, st := range list(at(p, "PolicyDocument", "Statement")) {
					sid, _ := at(st, "Sid").(string)
					got[sid] = true
				}
			}
			slices.Sort(sids)
			if have := slices.Sorted(maps.Keys(got)); !slices.Equal(have, sids) {
				t.Errorf("%s: %s may %v, want %v", name, function, have, sids)
			}
		}
	}
}

// function is the function's properties.
func (s *synthesized) function(t *testing.T, name string) map[string]any {
	t.Helper()
	for _, f := range s.pipeline.of("AWS::Lambda::Function") {
		if f.Properties["FunctionName"] == spec.ResourceName(s.deployment.Settings.Env, name) {
			return f.Properties
		}
	}
	t.Fatalf("there is no function %s", name)
	return nil
}

func (s *synthesized) roleOf(t *testing.T, function string) map[string]any {
	t.Helper()
	id, _ := at(s.function(t, function), "Role", "Fn::GetAtt", 0).(string)
	return s.pipeline.Resources[id].Properties
}
