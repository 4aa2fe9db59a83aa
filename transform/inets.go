package transform

import "net/netip"

// inetEncoder encodes inet and cidr: an address with or without the length of
// its prefix.
type inetEncoder struct {
	// network tells that the column is a cidr, whose address has no bits behind
	// the prefix.
	network bool
}

// The families on the wire.
const (
	familyIPv4 = 2
	familyIPv6 = 3
)

func (e *inetEncoder) append(dst []byte, v *Value) ([]byte, error) {
	if v.Kind != String && v.Kind != Bytes {
		return dst, misfit(v, "is not an IP address")
	}
	a, bits, ok := parseInet(v.Bytes)
	if !ok {
		return dst, misfit(v, "is not an IP address")
	}
	if e.network && netip.PrefixFrom(a, bits).Masked().Addr() != a {
		return dst, misfit(v, "has bits behind its prefix, which a network address cannot have")
	}
	family, flag := byte(familyIPv6), byte(0)
	if a.Is4() {
		family = familyIPv4
	}
	if e.network {
		flag = 1
	}
	dst = append(dst, family, byte(bits), flag, byte(a.BitLen()/8))
	if a.Is4() {
		four := a.As4()
		return append(dst, four[:]...), nil
	}
	sixteen := a.As16()
	return append(dst, sixteen[:]...), nil
}

// parseInet reads address[/bits].
func parseInet(text []byte) (a netip.Addr, bits int, ok bool) {
	end := len(text)
	bits = -1
	for n, c := range text {
		if c == '/' {
			if bits, ok = parseBits(text[n+1:]); !ok {
				return a, 0, false
			}
			end = n
			break
		}
	}
	a, ok = parseAddr(text[:end])
	if bits < 0 {
		bits = a.BitLen()
	}
	return a, bits, ok && bits <= a.BitLen()
}

// parseAddr reads an address without a zone.
func parseAddr(text []byte) (netip.Addr, bool) {
	// A longer text is none, and the error would be built from all of it.
	if len(text) > len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(textOf(text))
	return a, err == nil && a.Zone() == ""
}

// parseBits reads the length of a prefix.
func parseBits(text []byte) (int, bool) {
	if len(text) > 1 && text[0] == '0' || len(text) > 3 || digits(text, 0) != len(text) {
		return 0, false
	}
	n, ok := shortInt(text)
	return int(n), ok
}
