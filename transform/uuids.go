package transform

// appendUUID encodes uuid from all forms that Postgres takes: hexadecimal
// digits in any case, a hyphen after any group of four, braces around them.
func appendUUID(dst []byte, v *Value) ([]byte, error) {
	if v.Kind != String && v.Kind != Bytes {
		return dst, misfit(v, "is not a uuid")
	}
	b := v.Bytes
	if n := len(b); n >= 2 && b[0] == '{' && b[n-1] == '}' {
		b = b[1 : n-1]
	}
	start := len(dst)
	for n := 0; n < 16; n++ {
		if len(b) < 2 {
			return dst[:start], misfit(v, "is not a uuid")
		}
		high, low := nibble(b[0]), nibble(b[1])
		if high|low > 15 {
			return dst[:start], misfit(v, "is not a uuid")
		}
		dst = append(dst, high<<4|low)
		if b = b[2:]; n%2 == 1 && n < 15 && len(b) > 0 && b[0] == '-' {
			b = b[1:]
		}
	}
	if len(b) > 0 {
		return dst[:start], misfit(v, "is not a uuid")
	}
	return dst, nil
}
