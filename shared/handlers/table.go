package handlers

import (
	"fmt"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Table is every handler there is: one row per event type or family of types. See the
// package comment for how to add one.
func Table(s Settings) []Handler {
	patient := masker{key: s.PseudonymKey}.handle
	return []Handler{
		{Type: "gov.bts.flight.recorded", Handle: flightRecorded},
		{Type: "com.github.*", Handle: githubWebhook},
		{Type: "org.hl7.patient.*", Handle: patient, Aggregate: true},
		{Type: "org.hl7.appointment.*", Handle: patient},
	}
}

// Settings are what handlers need to know besides the event.
type Settings struct {
	// PseudonymKey is the secret from which pseudonyms of persons are made, at least
	// spec.MinPseudonymKey bytes. Empty: identifiers of persons are removed instead.
	PseudonymKey []byte
}

func (s Settings) validate() error {
	if n := len(s.PseudonymKey); n > 0 && n < spec.MinPseudonymKey {
		return fmt.Errorf("pseudonym key has %d bytes, want at least %d random ones, or none to remove identifiers", n, spec.MinPseudonymKey)
	}
	return nil
}
