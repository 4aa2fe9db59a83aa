package transform

// maxExponent bounds exponents as Postgres does; beyond it a number is out of
// every range.
const maxExponent = 1<<30 - 1

// powersOfTen are those that a uint64 holds.
var powersOfTen = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// decimal is the text of a number taken apart: the digits of whole and frac
// after each other, with the point behind the first point of them. Nothing is
// computed yet, so nothing is lost.
type decimal struct {
	negative    bool
	whole, frac []byte
	// point may lie before the first digit or behind the last one.
	point int
}

// parseDecimal takes [+-]digits[.digits][e[+-]digits] apart; of whole and
// fraction one may be missing.
func parseDecimal(b []byte) (decimal, bool) {
	var d decimal
	i := 0
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		d.negative = b[i] == '-'
		i++
	}
	end := digits(b, i)
	d.whole, i = b[i:end], end
	if i < len(b) && b[i] == '.' {
		end = digits(b, i+1)
		d.frac, i = b[i+1:end], end
	}
	d.point = len(d.whole)
	if len(d.whole)+len(d.frac) == 0 {
		return d, false
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		exp, ok := parseExponent(b[i+1:])
		if !ok {
			return d, false
		}
		d.point += exp
		i = len(b)
	}
	return d, i == len(b)
}

// shortDecimal reads a number of few digits without exponent, the form that
// nearly all numbers have: its digits, and how many of them are behind the point.
func shortDecimal(b []byte) (n int64, scale int, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) > maxShort {
		return 0, 0, false
	}
	for i, c := range b {
		if c == '.' && scale == 0 {
			scale = len(b) - 1 - i
			continue
		}
		if c -= '0'; c > 9 {
			return 0, 0, false
		}
		n = n*10 + int64(c)
	}
	if negative {
		n = -n
	}
	return n, scale, true
}

// parseExponent reads [+-]digits; what is beyond maxExponent stays just there.
func parseExponent(b []byte) (int, bool) {
	sign := 1
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		if b[0] == '-' {
			sign = -1
		}
		b = b[1:]
	}
	if len(b) == 0 || digits(b, 0) != len(b) {
		return 0, false
	}
	n := 0
	for _, c := range b {
		n = min(n*10+int(c-'0'), maxExponent)
	}
	return sign * n, true
}

// len counts the digits.
func (d *decimal) len() int { return len(d.whole) + len(d.frac) }

// at gives digit n as a number.
func (d *decimal) at(n int) byte {
	if n < len(d.whole) {
		return d.whole[n] - '0'
	}
	return d.frac[n-len(d.whole)] - '0'
}

// leading gives the index of the first digit that is not 0, len if all are.
func (d *decimal) leading() int {
	n := 0
	for n < d.len() && d.at(n) == 0 {
		n++
	}
	return n
}

// integer gives the magnitude of the number without its fraction, whether
// there was a fraction, and whether the magnitude fits.
func (d *decimal) integer() (mag uint64, exact, ok bool) {
	n, end := d.leading(), d.len()
	if n == end {
		return 0, true, true
	}
	if d.point-n > 19 {
		return 0, false, false
	}
	for ; n < d.point; n++ {
		mag *= 10
		if n < end {
			mag += uint64(d.at(n))
		}
	}
	exact = true
	for n = max(n, 0); n < end; n++ {
		exact = exact && d.at(n) == 0
	}
	return mag, exact, true
}
