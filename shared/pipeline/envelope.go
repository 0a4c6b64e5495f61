package pipeline

import (
	"encoding/json"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// ContentTypeEnvelope is the content type of a dead letter whose original is more than
// a body: a Kafka record with its key and headers, or a message with attributes of its
// sender's. The body is an Envelope in JSON.
const ContentTypeEnvelope = "application/vnd.millrace.envelope+json"

// Envelope keeps an original delivery whole.
type Envelope struct {
	Body        []byte            `json:"body"` // base64 in JSON
	ContentType string            `json:"contentType,omitempty"`
	Encoding    string            `json:"encoding,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	Kafka       *envelopeRecord   `json:"kafka,omitempty"`
	Arrived     time.Time         `json:"arrived,omitzero"`
}

type envelopeRecord struct {
	Topic     string           `json:"topic"`
	Partition int32            `json:"partition"`
	Offset    int64            `json:"offset"`
	Key       []byte           `json:"key"`
	Headers   []envelopeHeader `json:"headers,omitempty"`
}

type envelopeHeader struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// seal puts bytes of the delivery (its body, or one element of it) in an envelope.
func seal(d *Delivery, body []byte) ([]byte, error) {
	e := Envelope{
		Body: body, ContentType: d.Attrs.ContentType, Encoding: d.Attrs.Encoding,
		Attributes: d.Foreign, Arrived: d.Arrived,
	}
	if k := d.Kafka; k != nil {
		e.Kafka = &envelopeRecord{Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Key: k.Key}
		for _, h := range k.Headers {
			e.Kafka.Headers = append(e.Kafka.Headers, envelopeHeader(h))
		}
	}
	return json.Marshal(e)
}

// OpenEnvelope returns the original delivery of an envelope.
func OpenEnvelope(d *Delivery) (*Delivery, error) {
	var e Envelope
	if err := json.Unmarshal(d.Body, &e); err != nil {
		return nil, fault.New(fault.BadPack, "the body is no envelope: %v", err)
	}
	o := *d
	o.Body, o.Attrs.ContentType, o.Attrs.Encoding, o.Foreign = e.Body, e.ContentType, e.Encoding, e.Attributes
	if !e.Arrived.IsZero() {
		o.Arrived = e.Arrived
	}
	if k := e.Kafka; k != nil {
		o.Kafka = &KafkaRecord{Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Key: k.Key}
		for _, h := range k.Headers {
			o.Kafka.Headers = append(o.Kafka.Headers, event.Header(h))
		}
	}
	return &o, nil
}
