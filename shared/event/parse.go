package event

import "time"

func parse(b []byte) (Event, error)             { panic("todo") }
func receivedTime(s string) time.Time           { panic("todo") }
func payload(e *Event) []byte                   { panic("todo") }
func attr(e *Event, name string) (string, bool) { panic("todo") }
