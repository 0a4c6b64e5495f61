// Package deployed gives tests Millrace as its users have it: the functions built, the
// unmodified stacks deployed by the CDK's command line to a LocalStack, events from a real
// Kafka, and a real MongoDB behind a secret.
//
// A test binary deploys once (Get); harness.Main ends it all. It is a package of its own
// because the adapters' tests use package harness, and this one uses the adapters.
package deployed
