package transform

// appendBool encodes boolean. Strings are those that Postgres takes: unique
// beginnings of true, false, yes, no, on, off, and 1 and 0, in any case.
func appendBool(dst []byte, v *Value) ([]byte, error) {
	value, ok := v.Num != 0, true
	switch v.Kind {
	case Bool:
	case Number, String, Bytes:
		value, ok = parseBool(trim(v.Bytes))
	case Int:
		ok = v.Num <= 1
	default:
		ok = false
	}
	if !ok {
		return dst, misfit(v, "is not a boolean")
	}
	if value {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func parseBool(b []byte) (value, ok bool) {
	switch {
	case len(b) == 0:
		return false, false
	case begins("true", b, 1), begins("yes", b, 1), begins("on", b, 2), string(b) == "1":
		return true, true
	case begins("false", b, 1), begins("no", b, 1), begins("off", b, 2), string(b) == "0":
		return false, true
	}
	return false, false
}

// begins tells whether the word begins with b, in any case, and b has at least
// so many letters.
func begins(word string, b []byte, least int) bool {
	return len(b) >= least && len(b) <= len(word) && equalFold(b, word[:len(b)])
}
