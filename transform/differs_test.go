package transform

import "strings"

// differs tells why a value becomes something else than INSERT of its text
// does, empty where it must not: each of these differences is wanted, and
// docs/mapping.md has them.
func differs(typ, value, got string) string {
	number := strings.IndexByte("-0123456789", value[0]) >= 0
	bad := strings.HasPrefix(got, "bad: ")
	elem, array := strings.CutSuffix(typ, "[]")
	elem, _, _ = strings.Cut(elem, "(")
	array = array || typ == "integers" || typ == "moods"
	switch {
	case strings.Contains(value, "__debezium_unavailable_value") || strings.Contains(value, "X19kZWJleml1bV91"):
		return "what Debezium puts in place of a value that it does not know means that the field is absent"
	case array && bad && value[0] != '[':
		return "an array column takes JSON arrays only"
	}
	if array {
		value = strings.Trim(value, "[]")
		number = number || value != "" && strings.IndexByte("-0123456789", value[0]) >= 0 || strings.HasSuffix(value, "0")
	}
	switch elem {
	case "smallint", "integer", "bigint", "positive":
		if number && !bad {
			return "a number without a fraction is an integer, however it is written"
		}
	case "text", "character varying", "character":
		if bad && strings.Contains(value, "{") {
			return "objects fit json and jsonb only"
		}
	case "json", "jsonb":
		if !bad {
			return "a JSON value stays what it is: a string is a JSON string, an array in a json[] is one element"
		}
	case "bytea":
		return "binary data comes in base64 or as \\x and hexadecimal digits"
	case "cidr", "macaddr8":
		if bad {
			return "an address is a string and written out"
		}
	}
	return timesDiffer(elem, value, number, bad)
}

func timesDiffer(elem, value string, number, bad bool) string {
	moment := strings.HasPrefix(elem, "time") || elem == "date"
	switch {
	case elem == "interval" || elem == "interval day to minute":
		if bad {
			return "an interval is a string in ISO 8601 or with units; months and years have no fraction"
		}
	case moment && number && !bad:
		return "a number is an epoch number, or what passed since midnight"
	case moment && !bad && strings.Contains(value, "T"):
		return "RFC 3339 fits all types of time: an offset is applied to timestamp, digits finer than a microsecond are truncated"
	case moment && !bad && strings.Contains(value, ".1234567"):
		return "digits finer than a microsecond are truncated"
	case moment && bad:
		return "a time does not depend on settings, on the present or on names of time zones"
	}
	return ""
}
