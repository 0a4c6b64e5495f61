// Package queue is the embedded queue: queue.Broker with the semantics of Amazon SQS
// standard queues, any number of queues in one SQLite file, used by several processes at
// once (`millrace run` and the commands).
//
// What is not obvious:
//   - A message is two rows: a narrow one that every receive changes, and its content,
//     written once (schema.go). Receiving a message of 60 KiB writes some hundred bytes.
//   - A message keeps its row from Send to Delete, through dead-letter queues and moves.
//     Column receives counts all its receives and so numbers them; column base is that
//     count when it came into its present queue. A receipt is queue, row and number
//     (receipt.go), and so a receipt from before a move does not touch the message after it.
//   - Callers that write at once share one transaction and one fsync; see package db. A
//     Send or Delete that returned survives loss of power. A Receive need not: its messages
//     are then received again, which at-least-once delivery allows, and so costs no fsync.
//   - A waiting Receive is woken at once by this process, within pollInterval by another
//     one, and by itself when the next hidden message becomes visible (watch.go).
//   - Expired messages are never received or counted. They are deleted a few at a time by
//     the Sends and Receives of their queue (expire.go).
//   - The file does not shrink, but the space of deleted messages is used again.
package queue
