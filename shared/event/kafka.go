package event

import (
	"strings"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Header is one Kafka record header.
type Header struct {
	Name  string
	Value []byte
}

const (
	contentTypeHeader = "content-type"
	kafkaPrefix       = "ce_"
	cloudEvents       = "application/cloudevents" // prefix of the media types of event formats
)

// FromKafka reads a record by the CloudEvents Kafka protocol binding 1.0.2: structured
// mode when the content-type header begins with application/cloudevents, binary mode
// when there are ce_ headers. Header names are matched without regard to case, as the
// SDKs do. A record with neither is read as structured mode when it has no content type
// or its value is a JSON object, so that plain console producers work. A nil value is an
// event without data.
func FromKafka(value []byte, headers []Header) (Event, error) {
	contentType, attributes, err := kafkaHeaders(headers)
	switch {
	case err != nil:
		return Event{}, err
	case hasFoldPrefix(contentType, cloudEvents):
		if !isEventJSON(contentType) {
			return Event{}, fault.New(fault.UnsupportedContent, "%.60q", contentType)
		}
		return Parse(value)
	case attributes > 0:
		return kafkaBinary(value, headers, contentType)
	}
	if i := space(value, 0); contentType == "" || i < len(value) && value[i] == '{' {
		return Parse(value)
	}
	return Event{}, fault.New(fault.UnsupportedContent, "%.60q without ce_ headers", contentType)
}

// kafkaHeaders returns the content type and how many headers are attributes.
func kafkaHeaders(headers []Header) (contentType string, attributes int, err error) {
	given := false
	for _, h := range headers {
		switch {
		case hasFoldPrefix(h.Name, kafkaPrefix):
			attributes++
		case strings.EqualFold(h.Name, contentTypeHeader):
			if given && viewOf(h.Value) != contentType {
				return "", 0, fault.New(fault.DuplicateAttribute, "header content-type")
			}
			contentType, given = viewOf(h.Value), true
		}
	}
	return contentType, attributes, nil
}

func kafkaBinary(value []byte, headers []Header, contentType string) (Event, error) {
	size := len(value)
	for _, h := range headers {
		size += len(h.Name) + len(h.Value) + len(`"":"",`)
	}
	m := newBinary(size)
	if contentType != "" {
		m.attribute("datacontenttype", contentType)
	}
	for _, h := range headers {
		if !hasFoldPrefix(h.Name, kafkaPrefix) {
			continue
		}
		name := strings.ToLower(h.Name[len(kafkaPrefix):])
		if name == "datacontenttype" && viewOf(h.Value) == contentType {
			continue // some producers say it twice
		}
		m.attribute(name, viewOf(h.Value))
	}
	return m.event(value)
}

// ToKafka writes the event in structured mode: the record key is the extension
// partitionkey (nil when absent).
func (e *Event) ToKafka() (key, value []byte, headers []Header) {
	return e.kafkaKey(), e.raw, []Header{{contentTypeHeader, []byte(ContentTypeJSON)}}
}

// ToKafkaBinary writes the event in binary mode. JSON data without a stated type gets
// application/json, as the JSON format asks for (1.0.2, section 3.1.2).
func (e *Event) ToKafkaBinary() (key, value []byte, headers []Header) {
	contentType := e.ContentType()
	if contentType == "" && e.Data() != nil {
		contentType = "application/json"
	}
	if contentType != "" {
		headers = append(headers, Header{contentTypeHeader, []byte(contentType)})
	}
	for name, v := range e.Attrs() {
		if name != "datacontenttype" {
			headers = append(headers, Header{kafkaPrefix + name, []byte(v)})
		}
	}
	return e.kafkaKey(), e.Bytes(), headers
}

func (e *Event) kafkaKey() []byte {
	if k := e.PartitionKey(); k != "" {
		return []byte(k)
	}
	return nil
}

// isEventJSON reports whether a content type that begins with application/cloudevents
// is the JSON format, or names no format.
func isEventJSON(contentType string) bool {
	media := mediaType(contentType)
	return strings.EqualFold(media, ContentTypeJSON) || strings.EqualFold(media, cloudEvents)
}
