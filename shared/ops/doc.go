// Package ops is what an operator does to a pipeline, one file per operation, without
// knowing where the pipeline runs: each operation names the few things it needs of its
// target as a small interface. The command line and the dlq-redrive function call it.
package ops
