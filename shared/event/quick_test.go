package event

import (
	"fmt"
	"testing"
)

func TestQuick(t *testing.T) {
	for _, s := range []string{
		`{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":[1,{},[],"x\u00e9"]}}`,
		` {"specversion":"1.0","id":"a\"b","source":"/s","type":"t","time":"2020-01-01T00:00:00+01:00","n":5, "u":null,"data_base64":"aGk="} `,
		`{"specversion":"1.0","id":"1","source":"/s","type":"t","receivedtime":null}`,
		`{"specversion":"1.0","id":"1","source":"/s"`, `{}`, `[]`, ``, `{"id":"1","id":"2"}`,
	} {
		e, err := Parse([]byte(s))
		fmt.Println(err)
		if err == nil {
			s := e.Stamp(1700000000123)
			s2 := s.Stamp(1700000000124)
			fmt.Println(string(s2.JSON()), s2.Received(), s.Received(), s.ID(), string(s.Data()), string(s.Bytes()), s.Time())
			p, err := Parse(s.JSON())
			fmt.Println(p.Key(), err)
			x, err := e.Edit().Set("foo", true).Set("id", "other").Data(map[string]int{"q": 1}).Build()
			fmt.Println(string(x.JSON()), err)
		}
	}
	fmt.Println(ParseBatch([]byte(`[{"specversion":"1.0","id":"1","source":"/s","type":"t"},1,{}]`)))
}
