package spec

import (
	"slices"
	"testing"
	"time"
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

// Every period follows the setting, those of metrics that a schedule makes too: whoever
// shortens them runs the schedules as often.
func TestAlarmShortenIsForEveryPeriod(t *testing.T) {
	d := load(t, map[string]any{"target": "localstack", "alarmShorten": "25920"})
	for _, a := range Alarms {
		for _, c := range a.When {
			if got := c.Scope(a.Stages[0], nil, float64(d.AlarmShorten)).Period; got != 10*time.Second {
				t.Errorf("%s: a period of %v is %v, want 10 s", a.Name, c.Period, got)
			}
		}
	}
	for _, wrong := range []string{"0", "25921", "10s", "1.5"} {
		if _, err := LoadDeployment(map[string]any{"target": "localstack", "alarmShorten": wrong}); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
}
