package transform

// maxDepth is how deep values may be nested, also in fields that nothing maps.
const maxDepth = 1000

// space gives the index of the first byte from i on that is not white space.
func space(src []byte, i int) int {
	if i < len(src) && src[i] > ' ' {
		return i
	}
	return skipSpace(src, i)
}

func skipSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\n' || src[i] == '\r' || src[i] == '\t') {
		i++
	}
	return i
}

// skip validates the JSON value (RFC 8259) that begins at i, and gives the
// index behind it; with a fault, the index where it stands. Depth counts the
// objects and arrays around the value.
func skip(src []byte, i, depth int) (int, mark, fault) {
	if i >= len(src) {
		return i, 0, cutShort
	}
	switch c := src[i]; {
	case c == '"':
		if i = words(src, i+1); i < len(src) && src[i] == '"' {
			return i + 1, 0, fine
		}
		i, m, f := scanMixed(src, i)
		if f != fine {
			return i, 0, f
		}
		return i + 1, m, fine
	case c == '{':
		return skipObject(src, i+1, depth+1)
	case c == '[':
		return skipArray(src, i+1, depth+1)
	case c == '-' || c-'0' <= 9:
		return scanNumber(src, i)
	default:
		i, f := scanLiteral(src, i)
		return i, 0, f
	}
}

// skipObject goes on behind the opening brace.
func skipObject(src []byte, i, depth int) (int, mark, fault) {
	if depth > maxDepth {
		return i, 0, tooDeep
	}
	i = space(src, i)
	if i < len(src) && src[i] == '}' {
		return i + 1, 0, fine
	}
	var seen, m mark
	var f fault
	for {
		if i, m, f = skipKey(src, i); f != fine {
			return i, 0, f
		}
		seen |= m
		if i, m, f = skip(src, i, depth); f != fine {
			return i, 0, f
		}
		seen |= m
		if i < len(src) && src[i] == ',' {
			i = space(src, i+1)
			continue
		}
		var more bool
		if i, more, f = separator(src, i, '}'); !more {
			return i, seen, f
		}
	}
}

// skipKey goes over a member's name and its colon, to where the value begins.
func skipKey(src []byte, i int) (int, mark, fault) {
	if i >= len(src) {
		return i, 0, cutShort
	}
	if src[i] != '"' {
		return i, 0, unexpected
	}
	var m mark
	var f fault
	if i = words(src, i+1); i >= len(src) || src[i] != '"' {
		if i, m, f = scanMixed(src, i); f != fine {
			return i, 0, f
		}
	}
	if i++; i < len(src) && src[i] == ':' {
		return space(src, i+1), m, fine
	}
	i, f = colon(src, i)
	return i, m, f
}

// colon goes over a colon, to where the value begins.
func colon(src []byte, i int) (int, fault) {
	i = space(src, i)
	if i >= len(src) {
		return i, cutShort
	}
	if src[i] != ':' {
		return i, unexpected
	}
	return space(src, i+1), fine
}

// skipArray goes on behind the opening bracket.
func skipArray(src []byte, i, depth int) (int, mark, fault) {
	if depth > maxDepth {
		return i, 0, tooDeep
	}
	i = space(src, i)
	if i < len(src) && src[i] == ']' {
		return i + 1, 0, fine
	}
	var seen, m mark
	var f fault
	for {
		if i, m, f = skip(src, i, depth); f != fine {
			return i, 0, f
		}
		seen |= m
		var more bool
		if i, more, f = separator(src, i, ']'); !more {
			return i, seen, f
		}
	}
}

// separator goes over a comma, to where the next element begins, or over the
// closing bracket.
func separator(src []byte, i int, closing byte) (next int, more bool, f fault) {
	i = space(src, i)
	switch {
	case i >= len(src):
		return i, false, cutShort
	case src[i] == ',':
		return space(src, i+1), true, fine
	case src[i] == closing:
		return i + 1, false, fine
	}
	return i, false, unexpected
}

// scanLiteral goes over true, false or null.
func scanLiteral(src []byte, i int) (int, fault) {
	var want string
	switch src[i] {
	case 't':
		want = "true"
	case 'f':
		want = "false"
	case 'n':
		want = "null"
	default:
		return i, unexpected
	}
	if len(src)-i < len(want) {
		return len(src), cutShort
	}
	if string(src[i:i+len(want)]) != want {
		return i, unexpected
	}
	return i + len(want), fine
}
