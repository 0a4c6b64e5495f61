package event

// Indexes of the known names of members: those of the named attributes, then these.
const (
	nameVersion = nNamed + iota
	nameData
	nameBase64
	nameUnknown
)

// requiredNames is the set of attributes that every event has; stringNames the set of
// those whose type is not open.
const (
	requiredNames = 1<<nameVersion | 1<<nID | 1<<nSource | 1<<nType
	stringNames   = requiredNames | 1<<nSubject | 1<<nContentType | 1<<nSchema | 1<<nTime
)

var required = [...]struct {
	index int
	name  string
}{{nameVersion, "specversion"}, {nID, "id"}, {nSource, "source"}, {nType, "type"}}

func nameIndex(name []byte) int {
	switch string(name) {
	case "specversion":
		return nameVersion
	case "id":
		return nID
	case "source":
		return nSource
	case "type":
		return nType
	case "subject":
		return nSubject
	case "time":
		return nTime
	case "datacontenttype":
		return nContentType
	case "dataschema":
		return nSchema
	case "data":
		return nameData
	case "data_base64":
		return nameBase64
	case "tenantid":
		return nTenant
	case "partitionkey":
		return nPartition
	case "traceparent":
		return nTrace
	case "userid":
		return nUser
	case "priority":
		return nPriority
	case ReceivedName:
		return nReceived
	}
	return nameUnknown
}

// names is a set of extension names. Events have few: it looks through a list, and goes
// over to a map so that an event with very many costs no more than its length.
type names struct {
	n    int
	few  [8]string
	many map[string]struct{}
}

// add reports whether the name is new.
func (s *names) add(name []byte) bool {
	v := viewOf(name)
	for _, have := range s.few[:s.n] {
		if have == v {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = v
		s.n++
		return true
	}
	if _, have := s.many[v]; have {
		return false
	}
	if s.many == nil {
		s.many = make(map[string]struct{})
	}
	s.many[v] = struct{}{}
	return true
}
