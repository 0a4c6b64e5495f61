package pack

import "github.com/millrace-pipeline/millrace/shared/event"

func encode(events []event.Event, o Options) []Pack { panic("todo") }
func decode(body []byte, contentType, encoding string, limit int) ([]event.Item, error) {
	panic("todo")
}
