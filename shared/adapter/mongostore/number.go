package mongostore

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// decimalDigits of a decimal128.
const decimalDigits = 34

// appendNumber appends a JSON number as a query would look for it: a whole number as
// int32 or int64, beyond these as decimal128; any other as double. What a double cannot
// hold is a decimal128, and what that cannot hold is its text.
func appendNumber(dst, s []byte) ([]byte, bsoncore.Type) {
	whole := bytes.IndexByte(s, '.') < 0 && bytes.IndexByte(s, 'e') < 0 && bytes.IndexByte(s, 'E') < 0
	text := unsafe.String(unsafe.SliceData(s), len(s))
	if whole && text != "-0" {
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			if v == int64(int32(v)) {
				return bsoncore.AppendInt32(dst, int32(v)), bsoncore.TypeInt32
			}
			return bsoncore.AppendInt64(dst, v), bsoncore.TypeInt64
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	exact := whole && len(bytes.TrimLeft(s, "-")) <= decimalDigits && text != "-0"
	if err == nil && !exact {
		return bsoncore.AppendDouble(dst, f), bsoncore.TypeDouble
	}
	if d, err := bson.ParseDecimal128(text); err == nil {
		high, low := d.GetBytes()
		return bsoncore.AppendDecimal128(dst, high, low), bsoncore.TypeDecimal128
	}
	return bsoncore.AppendString(dst, text), bsoncore.TypeString
}

// appendDouble appends f as ECMAScript writes numbers (and JavaScript's and Go's JSON
// encoders do): the shortest text that reads back as f.
func appendDouble(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) { // only another client can have written it
		return append(dst, "null"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' { // e-09 is e-9
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
