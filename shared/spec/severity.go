package spec

import "time"

// Names of the severities, the most urgent first.
const (
	P1 = "P1"
	P2 = "P2"
	P3 = "P3"
	P4 = "P4"
)

// Roles of the people that a page can reach. Who they are is a setting of the deployment:
// the subscriptions of the topic of each severity.
const (
	Primary     = "primary on-call"
	Secondary   = "secondary on-call"
	Engineering = "engineering"
)

// Severity says how soon somebody must respond, and who is next when nobody does.
type Severity struct {
	Name    string
	Label   string        // one word
	Respond time.Duration // until a page must be acknowledged; 0: the next business day
	Chain   []string      // whom it reaches, one after another, each given Respond
	Meaning string        // one sentence
}

// Severities are all severities, the most urgent first.
var Severities = []Severity{
	{P1, "critical", 15 * time.Minute, []string{Primary, Secondary, Engineering},
		"The system is down, data is being lost, or most events fail."},
	{P2, "high", time.Hour, []string{Primary, Secondary, Engineering},
		"The pipeline works, but much worse than promised, or will lose data within days."},
	{P3, "medium", 4 * time.Hour, []string{Primary, Secondary},
		"Something fails that does not yet harm what is promised."},
	{P4, "low", 0, []string{Primary},
		"Somebody should look at it in working hours."},
}

// SeverityByName finds a severity of Severities.
func SeverityByName(name string) (Severity, bool) {
	for _, s := range Severities {
		if s.Name == name {
			return s, true
		}
	}
	return Severity{}, false
}

// Within is the response time in words: "15 minutes", "next business day".
func (s Severity) Within() string {
	if s.Respond == 0 {
		return "next business day"
	}
	return words(s.Respond)
}

// Next is who is paged when nobody has acknowledged in time; "" for a severity that does
// not escalate.
func (s Severity) Next() string {
	if len(s.Chain) < 2 {
		return ""
	}
	return s.Chain[1]
}
