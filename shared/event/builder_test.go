package event_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

func TestBuilder(t *testing.T) {
	edit := func(s string) *event.Builder { e := mustParse(t, s); return e.Edit() }
	at := time.Date(2026, 11, 24, 10, 0, 0, 5e8, time.FixedZone("", 3600))
	each(t, map[string]struct {
		b    *event.Builder
		want string
	}{
		"new":               {event.New("/s", "1", "t"), head + `}`},
		"every kind":        {event.New("/s", "1", "t").Set("a", "x").Set("b", true).Set("c", 5).Set("d", int32(-5)).Set("e", int64(7)).Set("time", at).Set("f", []byte{0xff}), head + `,"a":"x","b":true,"c":5,"d":-5,"e":7,"time":"2026-11-24T10:00:00.5+01:00","f":"/w=="}`},
		"set twice":         {event.New("/s", "1", "t").Set("a", 1).Set("b", 2).Set("a", 3), head + `,"a":3,"b":2}`},
		"set, then removed": {event.New("/s", "1", "t").Set("a", 1).Set("a", nil), head + `}`},
		"quotes":            {event.New("/s", "1", "t").Set("a", `"\`), head + `,"a":"\"\\"}`},

		"data":               {event.New("/s", "1", "t").Data(map[string]any{"a": []int{1}}), head + `,"datacontenttype":"application/json","data":{"a":[1]}}`},
		"data, nil":          {event.New("/s", "1", "t").Data(nil), head + `,"datacontenttype":"application/json","data":null}`},
		"data, as it stands": {event.New("/s", "1", "t").Data(json.RawMessage(` { "a" : 1.0 } `)), head + `,"datacontenttype":"application/json","data":{ "a" : 1.0 } }`},
		"text":               {event.New("/s", "1", "t").Set("datacontenttype", "text/plain").Data("hi"), head + `,"datacontenttype":"text/plain","data":"hi"}`},
		"no text":            {event.New("/s", "1", "t").Set("datacontenttype", "text/plain").Data(1), head + `,"datacontenttype":"application/json","data":1}`},
		"JSON type stays":    {event.New("/s", "1", "t").Set("datacontenttype", "x/y+json").Data(1), head + `,"datacontenttype":"x/y+json","data":1}`},
		"bytes":              {event.New("/s", "1", "t").Bytes("image/png", []byte{1, 2}), head + `,"datacontenttype":"image/png","data_base64":"AQI="}`},
		"bytes, no type":     {event.New("/s", "1", "t").Bytes("", nil), head + `,"data_base64":""}`},
		"data, then bytes":   {event.New("/s", "1", "t").Data(1).Bytes("image/png", []byte{1, 2}), head + `,"datacontenttype":"image/png","data_base64":"AQI="}`},

		"edit nothing":      {edit(" " + head + ` , "u" : null,"data" : [ 1 ] } `), head + `,"u" : null,"data" : [ 1 ]}`},
		"edit in its place": {edit(`{"a":1,`+head[1:]+`}`).Set("a", 2), `{"a":2,` + head[1:] + `}`},
		"remove":            {edit(`{"a":1,`+head[1:]+`}`).Set("a", nil), head + `}`},
		"remove the absent": {edit(head+`}`).Set("a", nil), head + `}`},
		"escaped name":      {edit(`{"\u0061":1,`+head[1:]+`}`).Set("a", 2), `{"a":2,` + head[1:] + `}`},
		"bytes to data":     {edit(attr(`"data_base64":"AQI=","datacontenttype":"image/png"`)).Data(1), head + `,"data":1,"datacontenttype":"application/json"}`},
		"data to bytes":     {edit(attr(`"data":1,"a":2`)).Bytes("image/png", []byte{1, 2}), head + `,"data_base64":"AQI=","a":2,"datacontenttype":"image/png"}`},
		"null base64":       {edit(attr(`"data":1,"data_base64":null`)).Data(2), head + `,"data":2,"datacontenttype":"application/json"}`},
	}, func(t *testing.T, c struct {
		b    *event.Builder
		want string
	}) {
		e := mustBuild(t, c.b)
		assertSame(t, e, mustParse(t, c.want))
		assertSame(t, mustBuild(t, c.b), e)
	})
}

func TestBuilderRefuses(t *testing.T) {
	fresh := func() *event.Builder { return event.New("/s", "1", "t") }
	each(t, map[string]struct {
		b    *event.Builder
		want fault.Reason
	}{
		"no id":                  {event.New("/s", "", "t"), fault.MissingAttribute},
		"no source":              {event.New("", "1", "t"), fault.MissingAttribute},
		"id removed":             {fresh().Set("id", nil), fault.MissingAttribute},
		"id a number":            {fresh().Set("id", 1), fault.BadAttribute},
		"other specversion":      {fresh().Set("specversion", "0.3"), fault.BadSpecVersion},
		"bad name":               {fresh().Set("my_name", 1), fault.BadAttribute},
		"name with a quote":      {fresh().Set(`a":1,"b`, 1), fault.BadAttribute},
		"data by Set":            {fresh().Set("data", "1"), fault.BadAttribute},
		"data_base64 by Set":     {fresh().Set("data_base64", "1"), fault.BadAttribute},
		"float":                  {fresh().Set("a", 1.5), fault.BadAttribute},
		"map":                    {fresh().Set("a", map[string]int{}), fault.BadAttribute},
		"beyond int32":           {fresh().Set("a", math.MaxInt32+1), fault.BadAttribute},
		"not a time":             {fresh().Set("time", "noon"), fault.InvalidTime},
		"year 10000":             {fresh().Set("time", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)), fault.InvalidTime},
		"control character":      {fresh().Set("a", "\n"), fault.ControlCharacter},
		"not UTF-8":              {fresh().Set("a", "\xff"), fault.InvalidUTF8},
		"too long":               {fresh().Set("a", long(8193)), fault.AttributeTooLong},
		"not marshalable":        {fresh().Data(func() {}), fault.InvalidData},
		"data not JSON":          {fresh().Data(json.RawMessage(`{`)), fault.NotJSON},
		"data empty":             {fresh().Data(json.RawMessage(nil)), fault.NotJSON},
		"data two values":        {fresh().Data(json.RawMessage(`1 2`)), fault.NotJSON},
		"data smuggling members": {fresh().Data(json.RawMessage(`1,"a":2`)), fault.NotJSON},
		"data not UTF-8":         {fresh().Data(json.RawMessage("\"\xff\"")), fault.InvalidUTF8},
		"data deep":              {fresh().Data(json.RawMessage(nested(513))), fault.TooDeep},
		"the first error":        {fresh().Set("my_name", 1).Data(json.RawMessage(`{`)), fault.BadAttribute},
	}, func(t *testing.T, c struct {
		b    *event.Builder
		want fault.Reason
	}) {
		_, err := c.b.Build()
		assertReason(t, err, c.want)
	})
}

// A producer's own receivedtime is replaced, whatever it is.
func TestStampReplaces(t *testing.T) {
	for _, was := range []string{`null`, `5`, `true`, `""`, `"x"`, `"2020-01-01T00:00:00Z"`} {
		e := mustParse(t, `{"receivedtime":`+was+`,`+head[1:]+`}`)
		got := e.Stamp(1764000000123)
		assertSame(t, got, mustParse(t, `{"receivedtime":"2025-11-24T16:00:00.123Z",`+head[1:]+`}`))
	}
}

func TestStampExtremes(t *testing.T) {
	e := mustParse(t, head+"}")
	for millis, want := range map[int64]string{
		0: "1970-01-01T00:00:00.000Z", -1: "1969-12-31T23:59:59.999Z", math.MinInt64: "0000-01-01T00:00:00.000Z", math.MaxInt64: "9999-12-31T23:59:59.999Z",
	} {
		got := e.Stamp(millis)
		assertSame(t, got, mustParse(t, attr(`"receivedtime":"`+want+`"`)))
	}
}

func TestReceivedOfNonsense(t *testing.T) {
	e := mustParse(t, attr(`"receivedtime":"soon"`))
	if got := e.Received(); !got.IsZero() {
		t.Errorf("received %s", got)
	}
}
