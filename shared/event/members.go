package event

import "iter"

// member is one member of a valid event's JSON.
type member struct {
	name  string
	text  []byte // the member as it stands, name and value
	value []byte
}

func (m *member) isData() bool { return m.name == "data" || m.name == "data_base64" }

// members goes through raw, the JSON of a valid event.
func members(raw []byte) iter.Seq[member] {
	return func(yield func(member) bool) {
		var f flaws
		for i := space(raw, 1); raw[i] != '}'; i = space(raw, i) {
			if raw[i] == ',' {
				i = space(raw, i+1)
			}
			start := i
			end, _ := stringEnd(raw, i+1)
			name := viewOf(plainText(raw[i : end+1]))
			value := space(raw, space(raw, end+1)+1) // over the colon
			i, _ = valueEnd(raw, value, &f)
			if !yield(member{name: name, text: raw[start:i], value: raw[value:i]}) {
				return
			}
		}
	}
}
