package event

import "github.com/millrace-pipeline/millrace/shared/fault"

// Item is one element of a batch: an event, or why it is none.
type Item struct {
	Event Event
	Raw   []byte // the element's bytes as they stood
	Err   error  // a *fault.Error; nil when Event is valid
}

// ParseBatch reads a JSON batch (CloudEvents JSON Event Format 1.0.2, section 4). Each
// element is checked by itself; err means that the body is no JSON array
// (fault.NotJSON, fault.NotCloudEvent).
func ParseBatch(b []byte) (items []Item, err error) {
	i := space(b, 0)
	if i >= len(b) || b[i] != '[' {
		if reason := checkJSON(b); reason == fault.NotJSON {
			var f flaws
			at, _ := valueEnd(b, 0, &f)
			return nil, notJSON(b, space(b, at))
		}
		return nil, fault.New(fault.NotCloudEvent, "the batch is not a JSON array")
	}
	if i = space(b, i+1); i < len(b) && b[i] == ']' {
		return nil, onlySpace(b, i+1)
	}
	for {
		items = append(items, Item{})
		it := &items[len(items)-1]
		end, rule, syntax := parseAt(b, i, &it.Event)
		if syntax != nil {
			return nil, syntax
		}
		it.Raw = b[i:end:end]
		if rule != nil {
			it.Event, it.Err = Event{}, rule
		}
		if len(items) == 1 {
			items = grow(items, len(b)-end, end-i)
		}
		if i = space(b, end); i >= len(b) {
			return nil, notJSON(b, i)
		}
		switch b[i] {
		case ',':
			i = space(b, i+1)
		case ']':
			if err := onlySpace(b, i+1); err != nil {
				return nil, err
			}
			return items, nil
		default:
			return nil, notJSON(b, i)
		}
	}
}

// grow makes room for as many further items as rest holds if they are like the first,
// within reason.
func grow(items []Item, rest, first int) []Item {
	const most = 1024
	grown := make([]Item, len(items), len(items)+min(rest/first+1, most))
	copy(grown, items)
	return grown
}

func onlySpace(b []byte, i int) error {
	if i = space(b, i); i < len(b) {
		return notJSON(b, i)
	}
	return nil
}
