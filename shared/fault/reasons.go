package fault

import (
	"maps"
	"slices"
)

// Reason is the machine-readable cause of a failure. It travels with a dead
// letter as a message attribute, so a reason once released is never renamed.
type Reason string

// Bad input: refused at the HTTP door, dead-lettered when it came from Kafka or SQS.
const (
	NotJSON            Reason = "not_json"
	NotCloudEvent      Reason = "not_cloudevent"
	BadSpecVersion     Reason = "bad_specversion"
	MissingAttribute   Reason = "missing_attribute"
	BadAttribute       Reason = "bad_attribute"
	DuplicateAttribute Reason = "duplicate_attribute"
	AttributeTooLong   Reason = "attribute_too_long"
	ControlCharacter   Reason = "control_character"
	InvalidUTF8        Reason = "invalid_utf8"
	InvalidTime        Reason = "invalid_time"
	InvalidData        Reason = "invalid_data"
	TooLarge           Reason = "too_large"
	TooDeep            Reason = "too_deep"
	UnsupportedContent Reason = "unsupported_content_type"
	SchemaViolation    Reason = "schema_violation"
	UnknownType        Reason = "unknown_type"
)

// Failures inside the pipeline.
const (
	BadPack          Reason = "bad_pack"
	PackBomb         Reason = "pack_bomb"
	ClaimMissing     Reason = "claim_missing"
	ClaimUnavailable Reason = "claim_unavailable"
	HandlerError     Reason = "handler_error"
	HandlerRejected  Reason = "handler_rejected"
	HandlerPanic     Reason = "handler_panic"
	HandlerTimeout   Reason = "handler_timeout"
	LeaseHeld        Reason = "lease_held"
	LeaseLost        Reason = "lease_lost"
	PublishFailed    Reason = "publish_failed"
	StoreUnreachable Reason = "store_unreachable"
	StoreUnavailable Reason = "store_unavailable"
	StoreRejected    Reason = "store_rejected"
	DeadlineNear     Reason = "deadline_near"
	BreakerOpen      Reason = "breaker_open"
	Undelivered      Reason = "undelivered"     // of the queue that SNS puts it into
	KafkaDiscarded   Reason = "kafka_discarded" // of the queue that Lambda reports it to
	Bug              Reason = "bug"
	Unknown          Reason = "unknown"
)

// Info is what a person and the redrive engine need to know about a reason.
type Info struct {
	Kind    Kind
	Passing bool   // a scheduled redrive may try again by itself: the cause can go away
	Meaning string // one sentence for the operator
	Fix     string // what to do first
}

// Info of a reason; one that is not in the table is treated as Unknown.
func (r Reason) Info() Info {
	if i, ok := reasons[r]; ok {
		return i
	}
	return reasons[Unknown]
}

// Known reports whether r is in the table.
func (r Reason) Known() bool { _, ok := reasons[r]; return ok }

// Reasons are all reasons of the table, sorted.
func Reasons() []Reason { return slices.Sorted(maps.Keys(reasons)) }

const (
	fixProducer = "fix the producer, then send the event again; `millrace dlq show` prints what arrived"
	fixCause    = "remove the cause, then `millrace dlq redrive`"
)

var reasons = map[Reason]Info{
	NotJSON:            {Permanent, false, "The bytes are not valid JSON.", fixProducer},
	NotCloudEvent:      {Permanent, false, "The JSON is not an object, or no part of it is a CloudEvent.", fixProducer},
	BadSpecVersion:     {Permanent, false, "The attribute specversion is not \"1.0\".", fixProducer},
	MissingAttribute:   {Permanent, false, "A required attribute (id, source, type or specversion) is missing or empty.", fixProducer},
	BadAttribute:       {Permanent, false, "An attribute has a name or a value that CloudEvents does not allow.", fixProducer},
	DuplicateAttribute: {Permanent, false, "An attribute is given twice.", fixProducer},
	AttributeTooLong:   {Permanent, false, "An attribute is longer than Millrace accepts.", fixProducer},
	ControlCharacter:   {Permanent, false, "An attribute contains NUL or another control character.", fixProducer},
	InvalidUTF8:        {Permanent, false, "The text is not valid UTF-8.", fixProducer},
	InvalidTime:        {Permanent, false, "The attribute time is not an RFC 3339 timestamp.", fixProducer},
	InvalidData:        {Permanent, false, "The data does not match its declared form: bad base64, or both data and data_base64 given.", fixProducer},
	TooLarge:           {Permanent, false, "The event is larger than the limit (setting MaxEventBytes).", fixProducer},
	TooDeep:            {Permanent, false, "The JSON is nested deeper than the limit.", fixProducer},
	UnsupportedContent: {Permanent, false, "The content type is none that carries CloudEvents.", fixProducer},
	SchemaViolation:    {Permanent, false, "The data does not satisfy the schema of its type.", fixProducer},
	UnknownType:        {Permanent, false, "The schema registry does not know the type and is set to refuse it.", "add a schema for the type, then `millrace dlq redrive`"},

	BadPack:          {Permanent, false, "A message between two stages could not be unpacked.", "a bug, or a foreign message in the queue: `millrace dlq show` prints it"},
	PackBomb:         {Permanent, false, "A compressed message would expand beyond the limit.", "a foreign message in the queue: find its sender"},
	ClaimMissing:     {Permanent, false, "The bytes that a claim check refers to are gone.", "restore the object, then `millrace dlq redrive`"},
	ClaimUnavailable: {Transient, true, "The bytes that a claim check refers to could not be read or written.", fixCause},
	HandlerError:     {Transient, true, "A handler returned an error on every attempt.", "look at the error text; fix the handler or its dependency, then `millrace dlq redrive`"},
	HandlerRejected:  {Permanent, false, "A handler refused the event as bad.", "look at the error text; fix the producer or the handler, then `millrace dlq redrive`"},
	HandlerPanic:     {Transient, false, "A handler panicked on every attempt.", "fix the handler, then `millrace dlq redrive`"},
	HandlerTimeout:   {Transient, true, "A handler did not finish before the invocation's deadline on any attempt.", fixCause},
	LeaseHeld:        {Unstarted, true, "Another invocation holds the event's lease.", "`millrace events list --status PROCESSING` shows the owner and the lease's end"},
	LeaseLost:        {Transient, true, "The lease ended before the handler did, and another invocation took it over.", fixCause},
	PublishFailed:    {Transient, true, "The next topic or queue did not take the event.", fixCause},
	StoreUnreachable: {Unstarted, true, "The event store could not be reached, or does not let us in: nothing was begun.", "look at the store, its network and its secret; what waits is stored by itself when it answers again"},
	StoreUnavailable: {Transient, true, "The event store failed on the event, or was too slow.", fixCause},
	StoreRejected:    {Permanent, false, "The event store refused the event for good.", "look at the error text, then `millrace dlq redrive`"},
	DeadlineNear:     {Unstarted, true, "The deadline came before the event's turn.", "none: it is redelivered"},
	BreakerOpen:      {Unstarted, true, "The circuit breaker of a dependency is open: the event was not tried.", "look at the dependency; the breaker closes by itself when it answers again"},
	Undelivered: {
		Transient, true, "SNS could not hand the message to the stage's queue: the queue, its policy or its KMS key refused it.",
		"mend the policy of the queue or of its key; then the schedule brings it back, or `millrace dlq redrive`",
	},
	KafkaDiscarded: {
		Transient, false, "Lambda gave up on a batch of Kafka records and went on. Only their offsets are here: the records are in Kafka until the topic's retention ends.",
		"remove the cause, which the log of ingest has; then, before the retention ends, `millrace dlq redrive --reason kafka_discarded --kafka host:port`",
	},
	Bug:     {Transient, false, "A stage broke its contract; nothing of the batch was acknowledged.", "report it with the log line"},
	Unknown: {Transient, true, "A failure that nothing classified.", "look at the error text, then `millrace dlq redrive`"},
}
