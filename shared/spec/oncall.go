package spec

import (
	"strings"
	"time"
)

// OnCall is the function that makes pages of alarms, keeps the open ones and escalates
// them. It is no stage: the topic AlarmsTopic and a schedule invoke it, and `millrace ack`
// does directly.
const OnCall = "on-call"

// Of the function on-call.
const (
	OnCallEvery   = time.Minute // its schedule: how much later than due an escalation can be
	OnCallTimeout = 30 * time.Second
	OnCallMemory  = 256 // MiB
)

// OpenPagesKey is the key, in the bucket ClaimsBucket, of the object with the open pages.
// It is outside the prefix of the claims, which expire.
const OpenPagesKey = "on-call/open.json"

// Dashboard is the deployment's dashboard in CloudWatch, for ResourceName.
const Dashboard = "operations"

// Topics of the alarms and of the pages. Each severity has one besides (PageTopic).
const (
	AlarmsTopic      = "alarms" // composite alarms publish here, but for on-call's own (Pager.Topic)
	SecondaryTopic   = "page-secondary"
	EngineeringTopic = "page-engineering"
)

// TopicOf the level-th role of Chain, 0 being the first. A level beyond the chain is its
// last.
func (s Severity) TopicOf(level int) string {
	switch s.Chain[min(level, len(s.Chain)-1)] {
	case Secondary:
		return SecondaryTopic
	case Engineering:
		return EngineeringTopic
	default:
		return PageTopic(s.Name)
	}
}

// PageTopics are all topics that on-call publishes to.
func PageTopics() []string {
	var topics []string
	for _, s := range Severities {
		topics = append(topics, PageTopic(s.Name))
	}
	return append(topics, SecondaryTopic, EngineeringTopic)
}

// PageTopicVar is the variable of on-call with the ARN of a topic of PageTopics:
// PAGE_P1_TOPIC_ARN for page-p1.
func PageTopicVar(topic string) string {
	return strings.ToUpper(strings.ReplaceAll(topic, "-", "_")) + "_TOPIC_ARN"
}
