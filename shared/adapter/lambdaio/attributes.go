package lambdaio

// typedPrefix marks the value of a message attribute whose data type is not String.
const typedPrefix = "sqs-type="

// typedValue is how an attribute of any data type is kept among pipeline.Delivery's
// foreign attributes, which are strings: a String is its value, another type is
// "sqs-type=<data type>;<value>", with the value of a Binary in base64 as Lambda sends
// it. So nothing of an attribute is lost in a dead letter, where all are Strings, and an
// attribute that comes back from there is not marked twice.
func typedValue(dataType, value []byte) string {
	if len(dataType) == 0 || string(dataType) == "String" {
		return string(value)
	}
	return typedPrefix + string(dataType) + ";" + string(value)
}

// messageAttributes reads {"name": {"dataType": …, "stringValue": …} …}. The lists that
// Lambda sends with each are not implemented by SQS.
func messageAttributes(s *scanner) map[string]string {
	return attributes(s, func(k []byte, a *attribute) {
		switch string(k) {
		case "dataType":
			a.dataType = s.text()
		case "stringValue":
			a.value = s.text()
		case "binaryValue":
			a.binary = s.text()
		default:
			s.skip()
		}
	})
}

// attribute is one message attribute of SQS or SNS. It has one of the two values.
type attribute struct{ dataType, value, binary []byte }

// attributes reads an object of attributes; member reads one member of an attribute.
func attributes(s *scanner, member func(name []byte, a *attribute)) map[string]string {
	var m map[string]string
	for name, ok := s.firstKey(); ok; name, ok = s.nextKey() {
		var a attribute
		for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
			member(k, &a)
		}
		if m == nil {
			m = make(map[string]string)
		}
		if a.value == nil {
			a.value = a.binary
		}
		m[string(name)] = typedValue(a.dataType, a.value)
	}
	return m
}
