// Package samples holds, beside sample events, the schemas of event types:
// <type>/schema-v<N>.json, JSON Schema 2020-12 of an event's data. They are part of the
// binary, so that a function checks events without reading anything.
package samples

import "embed"

// Schemas are the schema files.
//
//go:embed */schema-v*.json
var Schemas embed.FS

// Flights are the flights of 1 January 2013, NDJSON in gzip.
//
//go:embed flights/2013-01-01.ndjson.gz
var Flights []byte
