// Package deployed holds the tests of the command line against a pipeline that is
// deployed: on LocalStack, with the resources that the stacks make, by the names that
// infrastructure and the command line share (shared/spec/names.go). They need the build
// tag integration. What the deployed functions do is for localstack/e2e.
package deployed
