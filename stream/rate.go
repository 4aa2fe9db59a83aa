package stream

import "time"

// allowance caps how many records of a partition land in a second, by tokens
// that come at that rate: a batch takes no more records than there are, so a
// queue without any is simply not due, and nothing sleeps. At most one second's
// worth gathers, so no burst is larger. The zero allowance is no cap.
type allowance struct {
	rate   int
	tokens float64
	at     time.Time
}

func newAllowance(rate int, now time.Time) allowance {
	return allowance{rate: rate, tokens: float64(rate), at: now}
}

// fill adds the tokens that have come since.
func (a *allowance) fill(now time.Time) {
	if d := now.Sub(a.at); d > 0 {
		a.tokens = min(float64(a.rate), a.tokens+d.Seconds()*float64(a.rate))
		a.at = now
	}
}

// admits counts how many of n records may be taken now.
func (a *allowance) admits(n int, now time.Time) int {
	if a.rate == 0 {
		return n
	}
	a.fill(now)
	return min(n, int(a.tokens))
}

// spend takes the tokens of n records; a negative n gives them back.
func (a *allowance) spend(n int) {
	if a.rate > 0 {
		a.tokens = min(float64(a.rate), a.tokens-float64(n))
	}
}

// next is when a record may be taken again.
func (a *allowance) next(now time.Time) time.Time {
	if a.admits(1, now) > 0 {
		return now
	}
	short := (1 - a.tokens) / float64(a.rate)
	// Rounded up: a timer that fires too early finds nothing.
	return now.Add(time.Duration(short*float64(time.Second)) + time.Microsecond)
}

// glut tells that so much is queued that reading more is of no use for a while.
func (a *allowance) glut(queued int) bool { return a.rate > 0 && queued > 2*a.rate }
