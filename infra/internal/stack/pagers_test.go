package stack

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

type pagerName struct{ stage, severity string }

// pagers that a variation has: those of its rows.
func (s *synthesized) pagers(name string) []pagerName {
	var all []pagerName
	for row, a := range s.rows(name) {
		stage, _, _ := strings.Cut(row, " ")
		if p := (pagerName{stage, a.Severity}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

var ruleName = regexp.MustCompile(`(ALARM|OK|INSUFFICIENT_DATA)\("([^"]+)"\)`)

// Every composite alarm names alarms that exist, and is made after them.
func TestRulesNameAlarms(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		ids := make(map[string]string)
		for _, kind := range []string{"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"} {
			for id, r := range s.pipeline.of(kind) {
				ids[r.Properties["AlarmName"].(string)] = id
			}
		}
		for id, r := range s.pipeline.of("AWS::CloudWatch::CompositeAlarm") {
			rule := r.Properties["AlarmRule"].(string)
			if len(rule) > 10_240 {
				t.Errorf("%s: %s: a rule of %d characters, PutCompositeAlarm takes 10240", name, id, len(rule))
			}
			named := ruleName.FindAllStringSubmatch(rule, -1)
			if len(named) == 0 {
				t.Errorf("%s: %s: rule %q", name, id, rule)
			}
			for _, m := range named {
				if child := ids[m[2]]; child == "" || !slices.Contains(r.DependsOn, child) {
					t.Errorf("%s: %s names %s (%q), which it does not wait for", name, id, m[2], child)
				}
			}
		}
	}
}

// Only pagers have actions, and each has the one of the table; the change back to OK is
// told as well.
func TestOnlyPagersPage(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		want := make(map[string]string) // topic by alarm
		for _, p := range s.pagers(name) {
			topic := spec.AlarmsTopic
			if p.stage == spec.OnCall {
				topic = spec.PageTopic(p.severity)
			}
			want[spec.PagerName("dev", p.stage, p.severity)] = topic
		}
		for _, kind := range []string{"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"} {
			for alarm, p := range s.alarmNames(t, kind) {
				topic, pages := want[alarm]
				if !pages {
					if p["AlarmActions"] != nil || p["OKActions"] != nil || p["InsufficientDataActions"] != nil {
						t.Errorf("%s: %s has an action of its own", name, alarm)
					}
					continue
				}
				id, _ := s.named(t, "AWS::SNS::Topic", "TopicName", topic)
				action := `[{"Ref":"` + id + `"}]`
				if text(p["AlarmActions"]) != action || text(p["OKActions"]) != action {
					t.Errorf("%s: %s: actions %s and %s, want %s", name, alarm, text(p["AlarmActions"]), text(p["OKActions"]), topic)
				}
				delete(want, alarm)
			}
		}
		if len(want) > 0 {
			t.Errorf("%s: no such pagers: %v", name, want)
		}
	}
}

// Every alarm of the table, alone, makes its stage's pager go off, and no other; while a
// deployment runs only if the table says so.
func TestEveryAlarmPages(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		composites := s.alarmNames(t, "AWS::CloudWatch::CompositeAlarm")
		pagers := s.pagers(name)
		for row, a := range s.rows(name) {
			stage, _, _ := strings.Cut(row, " ")
			for _, deploying := range []bool{false, true} {
				on := map[string]bool{spec.AlarmName("dev", stage, a.Name): true, "millrace-dev-deploying": deploying}
				for _, p := range pagers {
					rule, _ := composites[spec.PagerName("dev", p.stage, p.severity)]["AlarmRule"].(string)
					want := p.stage == stage && p.severity == a.Severity && (!deploying || a.Mute == spec.MuteNever)
					if got := holds(t, rule, on); got != want {
						t.Errorf("%s: %s of %s, a deployment %v: %s %s is %v, want %v", name, a.Name, stage, deploying, p.stage, p.severity, got, want)
					}
				}
			}
		}
	}
}

// holds evaluates a rule where the alarms of on are in ALARM and all others OK.
func holds(t *testing.T, rule string, on map[string]bool) bool {
	t.Helper()
	r := ruleReader{rest: ruleName.ReplaceAllStringFunc(rule, func(m string) string {
		term := ruleName.FindStringSubmatch(m)
		if term[1] == "ALARM" && on[term[2]] || term[1] == "OK" && !on[term[2]] {
			return " T "
		}
		return " F "
	})}
	v := r.or()
	if strings.TrimSpace(r.rest) != "" {
		t.Fatalf("rule %q: %q is left", rule, r.rest)
	}
	return v
}

// ruleReader reads a rule whose alarms are T or F already.
type ruleReader struct{ rest string }

func (r *ruleReader) take(word string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(r.rest, " "), word)
	if ok {
		r.rest = rest
	}
	return ok
}

func (r *ruleReader) or() bool {
	v := r.and()
	for r.take("OR ") {
		w := r.and()
		v = v || w
	}
	return v
}

func (r *ruleReader) and() bool {
	v := r.not()
	for r.take("AND ") {
		w := r.not()
		v = v && w
	}
	return v
}

func (r *ruleReader) not() bool {
	switch {
	case r.take("NOT "):
		return !r.not()
	case r.take("("):
		v := r.or()
		return r.take(")") && v
	}
	return !r.take("F") && r.take("T")
}

func TestHolds(t *testing.T) {
	for rule, want := range map[string]bool{
		`ALARM("a")`: true, `ALARM("b")`: false, `ALARM("b") OR ALARM("a")`: true, `ALARM("b") AND ALARM("a")`: false,
		`ALARM("b") OR ((ALARM("a") OR ALARM("b")) AND NOT ALARM("b"))`: true, `(ALARM("a")) AND NOT ALARM("a")`: false,
		`OK("b") AND NOT INSUFFICIENT_DATA("a")`: true, `OK("a")`: false,
	} {
		if got := holds(t, rule, map[string]bool{"a": true}); got != want {
			t.Errorf("%s is %v", rule, got)
		}
	}
}

// The alarm that mutes counts what the rule of deployments matches, and stays for as long
// as the table says. That rule matches this stack and this application alone.
func TestDeploying(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		a := s.alarmNames(t, "AWS::CloudWatch::Alarm")["millrace-dev-deploying"]
		_, rule := s.named(t, "AWS::Events::Rule", "Name", deployingAlarm)
		stat, metric := at(a, "Metrics", 1, "MetricStat"), at(a, "Metrics", 1, "MetricStat", "Metric")
		if text(at(metric, "Dimensions")) != `[{"Name":"RuleName","Value":"`+rule["Name"].(string)+`"}]` || at(metric, "Namespace") != "AWS/Events" ||
			at(metric, "MetricName") != "TriggeredRules" || at(a, "Metrics", 0, "Expression") != "FILL(m1, 0)" {
			t.Errorf("%s: %s", name, text(a))
		}
		if mute := time.Duration(at(stat, "Period").(float64)*a["EvaluationPeriods"].(float64)) * time.Second; mute != spec.MuteAfter || a["DatapointsToAlarm"] != 1.0 {
			t.Errorf("%s: silent for %v after a deployment, want %v", name, mute, spec.MuteAfter)
		}
		pattern := text(rule["EventPattern"])
		for _, part := range []string{"stack/millrace-dev-pipeline/", `"application":["millrace-dev-functions"]`, "CloudFormation Stack Status Change"} {
			if !strings.Contains(pattern, part) {
				t.Errorf("%s: no %s in %s", name, part, pattern)
			}
		}
		if target, _ := at(rule, "Targets", 0, "Arn", "Ref").(string); s.pipeline.Resources[target].Type != "AWS::Lambda::Alias" {
			t.Errorf("%s: a rule without a target counts nothing: %s", name, text(rule["Targets"]))
		}
	}
}

// A pager is made when its page can go out: after the subscription of on-call, and the
// permission that it is invoked with.
func TestPagersWaitForOnCall(t *testing.T) {
	s := synth(t, variations["aws"])
	var ready string
	for id := range s.pipeline.of("AWS::Lambda::EventInvokeConfig") {
		ready = id
	}
	waits := s.pipeline.Resources[ready].DependsOn
	for id, r := range s.pipeline.Resources {
		onCall := strings.HasPrefix(id, "oncall") && (r.Type == "AWS::SNS::Subscription" || r.Type == "AWS::Lambda::Permission" && r.Properties["Principal"] == "sns.amazonaws.com")
		pages := strings.HasPrefix(id, "Pages") && (r.Type == "AWS::SNS::Subscription" || r.Type == "AWS::SNS::TopicPolicy" || r.Type == "AWS::SQS::QueuePolicy")
		if (onCall || pages) && !slices.Contains(waits, id) {
			t.Errorf("%s does not wait for %s", ready, id)
		}
	}
	if len(waits) < 10 {
		t.Errorf("%s waits for %v", ready, waits)
	}
	for _, p := range s.pagers("aws") {
		name := spec.PagerName("dev", p.stage, p.severity)
		for _, r := range s.pipeline.of("AWS::CloudWatch::CompositeAlarm") {
			if r.Properties["AlarmName"] == name && !slices.Contains(r.DependsOn, ready) {
				t.Errorf("%s does not wait for %s", name, ready)
			}
		}
	}
}

// on-call's own alarms are judged when all other pagers are made: those go past on-call, so
// that its silence must not be one because nobody has invoked it yet.
func TestOnCallIsJudgedLast(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		var others, own []string
		for id, r := range s.pipeline.of("AWS::CloudWatch::CompositeAlarm") {
			alarm := r.Properties["AlarmName"].(string)
			for _, p := range s.pagers(name) {
				switch {
				case alarm != spec.PagerName("dev", p.stage, p.severity):
				case p.stage == spec.OnCall:
					own = append(own, id)
				default:
					others = append(others, id)
				}
			}
		}
		for id, r := range s.pipeline.of("AWS::CloudWatch::Alarm") {
			if strings.HasPrefix(r.Properties["AlarmName"].(string), spec.AlarmName("dev", spec.OnCall, "on-call-")) {
				own = append(own, id)
			}
		}
		if len(others) < 8 || len(own) < 4 {
			t.Errorf("%s: others %v, own %v", name, others, own)
		}
		for _, id := range own {
			waits := s.waitsFor(id)
			for _, other := range others {
				if !waits[other] {
					t.Errorf("%s: %s does not wait for %s", name, id, other)
				}
			}
		}
		for _, id := range others {
			if s.waitsFor(id)[id] {
				t.Errorf("%s: %s waits for itself", name, id)
			}
		}
	}
}

// waitsFor are the resources that a resource's DependsOn names, and those that these do.
func (s *synthesized) waitsFor(id string) map[string]bool {
	all := make(map[string]bool)
	var add func(id string)
	add = func(id string) {
		for _, next := range s.pipeline.Resources[id].DependsOn {
			if !all[next] {
				all[next] = true
				add(next)
			}
		}
	}
	add(id)
	return all
}

// A pager's rule has in ALARM(…) the alarms of the table and no other: on-call takes them
// for what is behind the page.
func TestRulesHaveOnlyFaultsInAlarm(t *testing.T) {
	for name, context := range variations {
		s := synth(t, context)
		composites := s.alarmNames(t, "AWS::CloudWatch::CompositeAlarm")
		for _, p := range s.pagers(name) {
			rule, _ := composites[spec.PagerName("dev", p.stage, p.severity)]["AlarmRule"].(string)
			for _, m := range ruleName.FindAllStringSubmatch(rule, -1) {
				alarm := strings.TrimPrefix(m[2], "millrace-dev-"+p.stage+"-")
				if _, ok := spec.AlarmByName(alarm); m[1] == "ALARM" && !ok {
					t.Errorf("%s: %s %s: %s is no alarm of the table", name, p.stage, p.severity, m[2])
				}
			}
		}
	}
}
