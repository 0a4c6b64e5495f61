package spec

import (
	"regexp"
	"slices"
	"strings"
)

var pageEndpoint = &Pattern{
	regexp.MustCompile(`^([^@\s/]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}|https://\S+)$`),
	"an email address or an https:// address",
}

// pages is the row of one list of endpoints.
func pages(field, of string, into func(*Deployment) any) Row[Deployment] {
	return Row[Deployment]{
		Name: field, Key: strings.ToLower(field[:1]) + field[1:], Kind: List, Min: 1, Max: 20, Pattern: pageEndpoint,
		Meaning: "Where pages of " + of + " go: email addresses, and https:// addresses (PagerDuty and Opsgenie: their integrations for CloudWatch; chat: an endpoint of yours that posts them). " +
			"SNS asks each to confirm the subscription.",
		into: into,
	}
}

// Endpoints of a topic of PageTopics: email addresses and https:// addresses, each once.
func (d *Deployment) Endpoints(topic string) []string {
	of := map[string][]string{
		PageTopic(P1): d.PageCritical, PageTopic(P2): d.PageHigh, PageTopic(P3): d.PageMedium, PageTopic(P4): d.PageLow,
		SecondaryTopic: d.PageSecondary, EngineeringTopic: d.PageEngineering,
	}
	return slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(of[topic]), d.PageChat...))))
}

// endpointContradictions: an address that is there twice was meant to be another one.
func (d *Deployment) endpointContradictions(wrong func(is bool, key, format string, args ...any)) {
	for _, l := range []struct {
		key  string
		list []string
	}{
		{"pageCritical", d.PageCritical}, {"pageHigh", d.PageHigh}, {"pageMedium", d.PageMedium}, {"pageLow", d.PageLow},
		{"pageSecondary", d.PageSecondary}, {"pageEngineering", d.PageEngineering}, {"pageChat", d.PageChat},
	} {
		for i, endpoint := range l.list {
			wrong(slices.Contains(l.list[:i], endpoint), l.key, "%s is there twice", endpoint)
		}
	}
	for _, chat := range d.PageChat {
		wrong(!strings.HasPrefix(chat, "https://"), "pageChat", "%q is no https:// address", chat)
	}
}
