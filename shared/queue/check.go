package queue

import (
	"fmt"
	"time"
)

// Size of the message as SNS and SQS count and bill it, in bytes: the body, and of each
// attribute its name, its type and its value (Amazon SQS Developer Guide, "Amazon SQS
// message quotas").
func (m *Message) Size() int {
	const attributeType = "String" // the only one that a Message has
	n := len(m.Body)
	for name, value := range m.Attributes {
		n += len(name) + len(attributeType) + len(value)
	}
	return n
}

// Check reports why SQS would not take m: ErrTooLarge or ErrInvalid with what is wrong,
// nil if it takes it. Every implementation refuses with it before it sends, because SQS
// answers one invalid entry by failing the whole batch.
func Check(m *Message) error {
	if n := m.Size(); n > MaxMessageBytes {
		return fmt.Errorf("%w: it has %d bytes", ErrTooLarge, n)
	}
	switch {
	case !IsText(m.Body):
		return fmt.Errorf("%w: the body is empty or has characters that SQS does not take", ErrInvalid)
	case m.Delay < 0 || m.Delay > MaxDelay:
		return fmt.Errorf("%w: delay %v is not in 0 to %v", ErrInvalid, m.Delay, MaxDelay)
	case len(m.Attributes) > MaxAttributes:
		return fmt.Errorf("%w: it has %d attributes, at most %d are allowed", ErrInvalid, len(m.Attributes), MaxAttributes)
	}
	for name, value := range m.Attributes {
		if !isAttributeName(name) {
			return fmt.Errorf("%w: attribute name %.300q", ErrInvalid, name)
		}
		if !IsText([]byte(value)) {
			return fmt.Errorf("%w: attribute %s is empty or has characters that SQS does not take", ErrInvalid, name)
		}
	}
	return nil
}

// maxAttributeName is the most bytes of an attribute's name.
const maxAttributeName = 256

// isAttributeName reports whether SQS takes a name: letters, digits, "_", "-" and single
// periods that are neither first nor last; names that begin with "AWS." or "Amazon.", in
// any casing, it keeps to itself (Amazon SQS Developer Guide, "Message attribute
// components").
func isAttributeName(name string) bool {
	if name == "" || len(name) > maxAttributeName || hasPrefixFold(name, "aws.") || hasPrefixFold(name, "amazon.") {
		return false
	}
	period := true // one before the name would be two with a first one
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '.' && period:
			return false
		case c == '.', isNameByte(c):
			period = c == '.'
		default:
			return false
		}
	}
	return !period
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// hasPrefixFold compares ASCII letters without regard to case; prefix is lower case.
func hasPrefixFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := 0; i < len(prefix); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

// Defaults and limits of a queue (Amazon SQS API reference, CreateQueue and
// SetQueueAttributes).
const (
	DefaultVisibility = 30 * time.Second
	DefaultRetention  = 4 * 24 * time.Hour
	MinRetention      = time.Minute
	MaxRetention      = 14 * 24 * time.Hour
	MaxMaxReceives    = 1000
	maxQueueName      = 80
)

// CheckConfig fills in the defaults of the configuration of a queue, and refuses what SQS
// refuses: the name, times and counts out of range, a dead-letter queue without a limit.
func CheckConfig(name string, c Config) (Config, error) {
	if c.Visibility == 0 {
		c.Visibility = DefaultVisibility
	}
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	var problem string
	switch {
	case !isQueueName(name):
		problem = fmt.Sprintf("a name has 1 to %d letters, digits, hyphens and underscores", maxQueueName)
	case c.Visibility < 0 || c.Visibility > MaxVisibility:
		problem = fmt.Sprintf("visibility timeout %v is not in 0 to %v", c.Visibility, MaxVisibility)
	case c.Delay < 0 || c.Delay > MaxDelay:
		problem = fmt.Sprintf("delay %v is not in 0 to %v", c.Delay, MaxDelay)
	case c.Retention < MinRetention || c.Retention > MaxRetention:
		problem = fmt.Sprintf("retention %v is not in %v to %v", c.Retention, MinRetention, MaxRetention)
	case (c.DLQ == "") != (c.MaxReceives == 0):
		problem = "a dead-letter queue and MaxReceives need each other"
	case c.MaxReceives < 0 || c.MaxReceives > MaxMaxReceives:
		problem = fmt.Sprintf("MaxReceives %d is not in 1 to %d", c.MaxReceives, MaxMaxReceives)
	case c.DLQ == name:
		problem = "a queue cannot be its own dead-letter queue"
	default:
		return c, nil
	}
	return c, fmt.Errorf("create queue %q: %s", name, problem)
}

func isQueueName(name string) bool {
	for i := 0; i < len(name); i++ {
		if !isNameByte(name[i]) {
			return false
		}
	}
	return name != "" && len(name) <= maxQueueName
}
