// Package mongostore is the event store on MongoDB: store.Store, layout documents.
//
// One document of the collection events is one event: its attributes and its data are
// fields that any MongoDB client can query, beside a few fields of the store's own that
// begin with an underscore (document.go).
//
// What is not obvious:
//   - An event comes back byte for byte although BSON does not keep the spelling of JSON:
//     what cannot be seen in the document is in its field _edits (edits.go).
//   - Counters and aggregates are not changed with every write: a batch leaves a document
//     in the collection batches that says what is new in it, and many of them are summed
//     up at once. It is written before the events and completed after them, so that no
//     crash loses or doubles a count. Who reads adds what is not summed up yet
//     (batch.go, fold.go, snapshot.go).
//   - A listing finds documents by an index in the order of their time alone. Documents of
//     the same millisecond are put in order where a page ends between them (list.go).
//   - An event that has only been leased (delivery rule 9) is in the collection leases;
//     listings merge both. That an event is stored is decided by the collection events,
//     never by what its lease says (leased.go).
//
// It needs MongoDB 5.0 or later as a replica set or sharded cluster: for snapshot reads,
// transactions, and field names with dots and dollars. Init makes the collections and
// indexes; Open refuses to work without them.
package mongostore
