package lambdaio

import "bytes"

// unwrapSNS takes a message out of the envelope that SNS puts around it when the
// subscription does not have raw message delivery. Our own subscriptions have it; this is
// for a queue that someone else subscribed to a topic, where the setting is off by
// default and every event would otherwise be dead-lettered as no CloudEvent.
//
// The envelope is a JSON object with Type "Notification", TopicArn and Message (Amazon SNS
// Developer Guide, "Amazon SNS HTTP/HTTPS notification JSON format"); the attributes are
// in it, so the SQS message has none. What the producer sent is Message and
// MessageAttributes; the rest of the envelope is not kept.
func unwrapSNS(body []byte, outer map[string]string) (message []byte, attrs map[string]string, ok bool) {
	if len(outer) > 0 || len(body) == 0 || body[0] != '{' || !bytes.Contains(body, []byte(`"Notification"`)) {
		return nil, nil, false
	}
	s := &scanner{b: body}
	var typ, topic []byte
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		switch string(k) {
		case "Type":
			typ = s.text()
		case "TopicArn":
			topic = s.text()
		case "Message":
			message = s.text()
		case "MessageAttributes":
			attrs = snsAttributes(s)
		case "specversion": // a CloudEvent, whatever its data holds
			return nil, nil, false
		default:
			s.skip()
		}
	}
	s.end()
	if s.err != nil || string(typ) != "Notification" || len(topic) == 0 || message == nil {
		return nil, nil, false
	}
	return message, attrs, true
}

// snsAttributes reads {"name": {"Type": …, "Value": …} …}.
func snsAttributes(s *scanner) map[string]string {
	return attributes(s, func(k []byte, a *attribute) {
		switch string(k) {
		case "Type":
			a.dataType = s.text()
		case "Value":
			a.value = s.text()
		default:
			s.skip()
		}
	})
}
