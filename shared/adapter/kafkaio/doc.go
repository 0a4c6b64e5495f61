// Package kafkaio speaks to Kafka: client settings with clear errors, a producer, a
// consumer with the rules of Lambda's event source mapping, topics and consumer lag. Its
// folder broker is the in-process broker of the embedded target.
package kafkaio
