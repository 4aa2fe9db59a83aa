package transform

import "github.com/sinkd/sinkd"

// appendFunc appends a value that is not null in the binary form of one
// Postgres type. The error says what is wrong, without naming the column.
type appendFunc func(dst []byte, v *Value) ([]byte, error)

// The OIDs of the types that have an encoder.
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidJSON        = 114
	oidCidr        = 650
	oidFloat4      = 700
	oidFloat8      = 701
	oidMacaddr8    = 774
	oidMacaddr     = 829
	oidInet        = 869
	oidBPChar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidInterval    = 1186
	oidTimetz      = 1266
	oidNumeric     = 1700
	oidUUID        = 2950
	oidJSONB       = 3802
)

// kindEnum is the pg_type.typtype of enums.
const kindEnum = 'e'

// typmodHeader is what Postgres adds to a length in a type modifier.
const typmodHeader = 4

// encoderOf gives the encoder of a column, nil if its type has none.
func encoderOf(c *sinkd.Column, r *sinkd.Route) appendFunc {
	switch {
	case c.Elem != 0:
		return arrayEncoderOf(c, r)
	case c.Kind == kindEnum:
		return (&labelEncoder{text: textEncoder{strip: r.StripNUL}}).append
	}
	if put := numberEncoderOf(c, unitOf(r.EpochUnit)); put != nil {
		return put
	}
	if put := timeEncoderOf(c, unitOf(r.EpochUnit)); put != nil {
		return put
	}
	switch c.Type {
	case oidBool:
		return appendBool
	case oidBytea:
		return appendBytea
	case oidText, oidVarchar, oidBPChar:
		return (&textEncoder{limit: max(0, int(c.Typmod)-typmodHeader), strip: r.StripNUL}).append
	case oidJSON:
		return (&jsonEncoder{}).append
	case oidJSONB:
		return (&jsonEncoder{version: jsonbVersion}).append
	case oidUUID:
		return appendUUID
	case oidInet:
		return (&inetEncoder{}).append
	case oidCidr:
		return (&inetEncoder{network: true}).append
	case oidMacaddr:
		return (&macEncoder{size: 6}).append
	case oidMacaddr8:
		return (&macEncoder{size: 8}).append
	}
	return nil
}

func numberEncoderOf(c *sinkd.Column, unit int) appendFunc {
	switch c.Type {
	case oidInt2:
		return newIntEncoder(2, unit).append
	case oidInt4:
		return newIntEncoder(4, unit).append
	case oidInt8:
		return newIntEncoder(8, unit).append
	case oidFloat4:
		return (&floatEncoder{bits: 32, unit: unit}).append
	case oidFloat8:
		return (&floatEncoder{bits: 64, unit: unit}).append
	case oidNumeric:
		return newNumericEncoder(c.Typmod, unit).append
	}
	return nil
}

func timeEncoderOf(c *sinkd.Column, unit int) appendFunc {
	switch c.Type {
	case oidDate:
		return (&timeEncoder{unit: unit, date: true}).append
	case oidTimestamp, oidTimestamptz:
		return (&timeEncoder{unit: unit}).append
	case oidTime:
		return (&clockEncoder{unit: unit}).append
	case oidTimetz:
		return (&clockEncoder{unit: unit, zoned: true}).append
	case oidInterval:
		return (&intervalEncoder{narrowed: narrowed(c.Typmod)}).append
	}
	return nil
}

// takesJSON tells whether a column takes values as JSON text.
func takesJSON(c *sinkd.Column) bool { return c.Type == oidJSON || c.Type == oidJSONB }

func unitOf(name string) int {
	switch name {
	case "s":
		return unitSecond
	case "us":
		return unitMicro
	case "ns":
		return unitNano
	}
	return unitMilli
}
