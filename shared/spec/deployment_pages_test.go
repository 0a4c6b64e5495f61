package spec

import (
	"slices"
	"testing"
)

// Every topic of pages can be given endpoints, and chat gets all of them.
func TestEndpoints(t *testing.T) {
	d := load(t, map[string]any{
		"pageCritical": "b@example.com, https://events.example.com/key", "pageHigh": "c@example.com", "pageMedium": "d@example.com",
		"pageLow": "e@example.com", "pageSecondary": "f@example.com", "pageEngineering": "g@example.com, https://chat.example.com",
		"pageChat": "https://chat.example.com",
	})
	for topic, want := range map[string][]string{
		PageTopic(P1):    {"b@example.com", "https://chat.example.com", "https://events.example.com/key"},
		PageTopic(P2):    {"c@example.com", "https://chat.example.com"},
		PageTopic(P3):    {"d@example.com", "https://chat.example.com"},
		PageTopic(P4):    {"e@example.com", "https://chat.example.com"},
		SecondaryTopic:   {"f@example.com", "https://chat.example.com"},
		EngineeringTopic: {"g@example.com", "https://chat.example.com"},
	} {
		if got := d.Endpoints(topic); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", topic, got, want)
		}
	}
	for _, topic := range PageTopics() {
		if len(d.Endpoints(topic)) == 0 {
			t.Errorf("%s has no setting", topic)
		}
	}
	for _, wrong := range []string{"ann", "ann@host", "http://a.example.com", "@example.com", "https://"} {
		if _, err := LoadDeployment(map[string]any{"pageHigh": wrong}); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
}

// What comes on a schedule has no value in a shorter period.
func TestScheduledMetricsKeepTheirPeriod(t *testing.T) {
	for name, keeps := range map[string]bool{
		"store-unreachable": true, "kafka-unreachable": true, "consumer-lag-high": true, "stuck-events": true, "redrive-stopped": true,
		"kafka-no-controller": true, "on-call-silent": true,
		"error-rate-critical": false, "breaker-open": false, "stalled": false, "function-errors": false, "dlq-growing": false,
	} {
		a, ok := AlarmByName(name)
		if !ok {
			t.Errorf("there is no alarm %s", name)
			continue
		}
		for _, c := range a.When {
			if got := c.Scope(a.Stages[0], nil, 6).Period; (got == c.Period) != keeps {
				t.Errorf("%s: a period of %v is %v when shortened six times", name, c.Period, got)
			}
		}
	}
}
