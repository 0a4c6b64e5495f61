// Package harness gives tests a real MongoDB, a real Kafka and a LocalStack. It takes the
// first of these that is there:
//
//  1. the server that MONGODB_URI, MILLRACE_KAFKA or AWS_ENDPOINT_URL names,
//  2. a container, where a Docker engine answers (testcontainers-go),
//  3. a process on this machine (package host, which downloads it once).
//
// With none of them the test is skipped with one line that says why. A service that
// MILLRACE_REQUIRE lists (mongo,kafka,localstack) makes that a failure, so that CI cannot
// pass by skipping.
//
// A test binary shares one server of each kind; Main, called from TestMain, ends them:
//
//	func TestMain(m *testing.M) { harness.Main(m) }
//
// Package deployed deploys Millrace itself to these three.
//
// Tests keep apart by names of their own: Database and Topic. A test that stops or kills
// its server takes one to itself with OwnMongo or OwnKafka.
package harness
