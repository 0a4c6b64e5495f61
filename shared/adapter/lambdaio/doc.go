// Package lambdaio is the boundary to AWS Lambda: it reads the payload of an invocation
// into deliveries, writes the answer that the event source expects, and, for the pollers
// that stand in for Lambda on one machine, writes the same payloads and reads the same
// answers.
//
// # Who owns the bytes
//
// Decode does not write to the payload. What it decodes (base64, JSON escapes) is in
// buffers of its own. The one view of the payload is a body that needed no decoding: an
// SQS body without JSON escapes, as every pack is. aws-lambda-go reuses the payload's
// buffer for the next invocation, so such a body must not be used after the handler has
// returned; events outlive it, because unpacking makes a buffer of its own and a plain
// JSON event always has escapes. Invocation.Direct is a view too.
//
// # Strictness
//
// Decode accepts the JSON that encoding/json accepts, with these differences: names match
// exactly, nesting ends at 1,000, and bytes that are not UTF-8 are kept as they are. The
// fuzz tests hold it to that.
//
// Sources: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", "Using Lambda with
// Amazon MSK", "Using Lambda with self-managed Apache Kafka", "Invoking Lambda function
// URLs"; Amazon EventBridge User Guide, "Creating a rule that runs on a schedule".
package lambdaio
