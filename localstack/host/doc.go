// Package host runs the servers that Millrace is tested and developed against as plain
// processes on this machine, without Docker: a real MongoDB (one-node replica set) and a
// real Apache Kafka (KRaft, one node). What they need comes from package registries
// through their ordinary clients, pip and mvn, and is kept in a cache. LocalStack's host
// mode belongs here too and follows with the deployed stacks.
//
// It is tooling for tests and development: the servers listen on 127.0.0.1 only and one
// node keeps the only copy of the data. MongoDB is under the SSPL; it is fetched as a test
// dependency and never redistributed. Linux and macOS.
package host
