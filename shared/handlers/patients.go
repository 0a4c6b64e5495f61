package handlers

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// treatment is what happens to a value before it leaves the stage.
type treatment uint8

const (
	keep      treatment = iota
	pseudonym           // replaced by a pseudonym: the same value gives the same one
	remove              // replaced by removed: free text, in which anything may stand
)

// removed stands where an identifier or a free text stood.
const removed = "[removed]"

// identifiers are the member names under which a person's identifiers stand, in lower
// case and without separators ("birth_date" and "birthDate" are birthdate). The list
// follows the identifiers that the HIPAA Privacy Rule names, 45 CFR 164.514(b)(2)(i).
// A name of this table covers everything below it: "address" masks the street in
// {"address":{"street":…}}. Where the table masks too much ("name" of a clinic), that is the
// side to err on.
var identifiers = map[string]treatment{
	"name": pseudonym, "fullname": pseudonym, "firstname": pseudonym, "middlename": pseudonym, "lastname": pseudonym,
	"givenname": pseudonym, "familyname": pseudonym, "maidenname": pseudonym, "given": pseudonym, "family": pseudonym,
	"patientname": pseudonym,
	"birthdate":   pseudonym, "dateofbirth": pseudonym, "dob": pseudonym,
	"address": pseudonym, "street": pseudonym, "city": pseudonym, "postalcode": pseudonym, "zip": pseudonym, "zipcode": pseudonym,
	"phone": pseudonym, "phonenumber": pseudonym, "mobile": pseudonym, "fax": pseudonym, "telecom": pseudonym,
	"email": pseudonym, "emailaddress": pseudonym,
	"ssn": pseudonym, "socialsecuritynumber": pseudonym,
	"mrn": pseudonym, "medicalrecordnumber": pseudonym, "patientid": pseudonym,
	"insuranceid": pseudonym, "policynumber": pseudonym, "memberid": pseudonym, "accountnumber": pseudonym,
	"licensenumber": pseudonym, "passportnumber": pseudonym, "licenseplate": pseudonym, "deviceid": pseudonym,
	"ipaddress": pseudonym, "url": pseudonym, "photo": pseudonym,

	"note": remove, "notes": remove, "comment": remove, "comments": remove, "narrative": remove,

	// Attributes of the event that name the patient by convention.
	"subject": pseudonym, "partitionkey": pseudonym,
}

// masker takes the identifiers of persons out of events about patients and their
// appointments. With a key, each becomes a pseudonym (HMAC-SHA-256 of the value): equal
// values have equal pseudonyms, in whatever member and event they stand, so that records
// still join, and who has no key can neither revert nor guess them. Without a key,
// identifiers are removed.
//
// That is pseudonymisation (GDPR, article 4(5)): the result is still personal data, with
// less at stake. The user id stays for audit, and source, id and tenant, by which the
// pipeline works: producers must put no identifier of a patient there. Dead letters
// keep the bytes that arrived (delivery rule 4), so their queue needs the protection of
// the source.
type masker struct {
	key []byte
}

// handle masks the event. Data that cannot be looked into is refused, not let through.
func (m masker) handle(_ context.Context, e event.Event) (Result, error) {
	if !canMask(&e) {
		return Result{}, Reject("data must be a JSON object or array: identifiers in any other form cannot be masked")
	}
	masked := masking{masker: m, in: e.JSON()}
	masked.value(skipSpace(masked.in, 0), keep)
	if masked.out == nil {
		return Forward(e), nil
	}
	changed, err := event.Parse(append(masked.out, masked.in[masked.copied:]...))
	return Forward(changed), err
}

// canMask reports whether the event has no data, or data with members.
func canMask(e *event.Event) bool {
	if data := e.Data(); len(data) > 0 {
		return data[0] == '{' || data[0] == '[' || isNull(data)
	}
	return e.Bytes() == nil
}

// masking is one pass over an event's JSON. Bytes that are not masked are copied as
// they stand.
type masking struct {
	masker
	in     []byte
	out    []byte // nil while nothing is masked
	copied int    // in[:copied] is in out
}

// value masks the value that begins at i and returns the index after it. how is the
// treatment that the members above ask for.
func (m *masking) value(i int, how treatment) int {
	switch m.in[i] {
	case '{':
		return m.object(i, how)
	case '[':
		for i = skipSpace(m.in, i+1); m.in[i] != ']'; i = m.next(i) {
			i = m.value(i, how)
		}
		return i + 1
	}
	end := skipValue(m.in, i)
	if literal := m.in[i]; how != keep && literal != 'n' && literal != 't' && literal != 'f' {
		m.replace(i, end, how)
	}
	return end
}

func (m *masking) object(i int, how treatment) int {
	for i = skipSpace(m.in, i+1); m.in[i] != '}'; i = m.next(i) {
		nameEnd := skipString(m.in, i)
		below := how
		if t := treatmentOf(unquote(m.in[i:nameEnd])); t != keep {
			below = t
		}
		i = m.value(skipSpace(m.in, skipSpace(m.in, nameEnd)+1), below)
	}
	return i + 1
}

// next goes over white space and a comma to the next element or the end of the container.
func (m *masking) next(i int) int {
	if i = skipSpace(m.in, i); m.in[i] == ',' {
		i = skipSpace(m.in, i+1)
	}
	return i
}

// replace writes what stands for the string or number in[start:end].
func (m *masking) replace(start, end int, how treatment) {
	value := m.in[start:end]
	if value[0] == '"' {
		if value = unquote(value); len(value) == 0 {
			return
		}
	}
	m.out = append(m.out, m.in[m.copied:start]...)
	m.out = append(m.out, '"')
	m.out = append(m.out, m.mask(value, how)...)
	m.out = append(m.out, '"')
	m.copied = end
}

var pseudonymForm = regexp.MustCompile(`^psn-[0-9a-f]{32}$`)

// mask is the text that stands for a value. A pseudonym stays what it is: a replay
// from the store passes here again.
func (m masker) mask(value []byte, how treatment) string {
	switch {
	case how == remove || len(m.key) == 0:
		return removed
	case pseudonymForm.Match(value) || string(value) == removed:
		return string(value)
	}
	mac := hmac.New(sha256.New, m.key)
	mac.Write(value)
	return "psn-" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// treatmentOf finds a member name in identifiers.
func treatmentOf(name []byte) treatment {
	return identifiers[separators.Replace(strings.ToLower(string(name)))]
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "", ".", "")
