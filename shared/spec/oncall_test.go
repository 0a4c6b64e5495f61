package spec

import (
	"slices"
	"testing"
)

// Every role of every chain has a topic, and on-call a variable for it.
func TestPageTopics(t *testing.T) {
	vars := FunctionVars(OnCall)
	for _, s := range Severities {
		for level := range s.Chain {
			topic := s.TopicOf(level)
			if !slices.Contains(PageTopics(), topic) || !slices.Contains(vars, PageTopicVar(topic)) {
				t.Errorf("%s, level %d: %s has no topic or no variable", s.Name, level, topic)
			}
		}
	}
	if got := PageTopicVar(PageTopic(P1)); got != "PAGE_P1_TOPIC_ARN" {
		t.Error(got)
	}
}
