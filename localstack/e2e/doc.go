// Package e2e tests the real program with a real Kafka and a real MongoDB, as its users
// run them. Its tests need the build tag integration.
package e2e
