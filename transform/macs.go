package transform

// macEncoder encodes macaddr and macaddr8: pairs of hexadecimal digits with
// the separators that Postgres takes.
type macEncoder struct {
	// size is the number of bytes, 6 or 8.
	size int
}

func (e *macEncoder) append(dst []byte, v *Value) ([]byte, error) {
	if v.Kind != String && v.Kind != Bytes {
		return dst, misfit(v, "is not a MAC address")
	}
	var mac [8]byte
	n, ok := parseMAC(mac[:], trim(v.Bytes), e.size == 8)
	switch {
	case !ok || n > e.size:
		return dst, misfit(v, "is not a MAC address")
	case n < e.size:
		// An EUI-48 becomes an EUI-64 by two bytes in its middle.
		return append(dst, mac[0], mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]), nil
	}
	return append(dst, mac[:n]...), nil
}

// parseMAC reads six or eight bytes. One separator, the same throughout, may
// stand after any of them where loose, else after each byte (: or -), each two
// (. or -) or each three (: or -).
func parseMAC(mac, text []byte, loose bool) (n int, ok bool) {
	var separator byte
	at := 0 // a bit for each byte that a separator follows
	for len(text) > 0 {
		if len(text) < 2 || n == len(mac) {
			return 0, false
		}
		high, low := nibble(text[0]), nibble(text[1])
		if high|low > 15 {
			return 0, false
		}
		mac[n] = high<<4 | low
		n, text = n+1, text[2:]
		if len(text) == 0 || nibble(text[0]) <= 15 {
			continue
		}
		c := text[0]
		if c != ':' && c != '-' && c != '.' || separator != 0 && c != separator || len(text) < 2 {
			return 0, false
		}
		separator, at, text = c, at|1<<n, text[1:]
	}
	return n, (n == 6 || n == 8) && (loose || grouped(separator, at))
}

// grouped tells whether separators stand where macaddr has them.
func grouped(separator byte, at int) bool {
	switch at {
	case 0:
		return true
	case 0b111110, 0b001000:
		return separator != '.'
	case 0b010100:
		return separator != ':'
	}
	return false
}
