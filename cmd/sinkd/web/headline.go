package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sinkd/sinkd"
)

// headline is the first sentence of the page.
type headline struct {
	Text string `json:"text"`
	// Tone is good, warn or bad.
	Tone string `json:"tone"`
	// Detail is what else is to be said, empty for nothing.
	Detail string `json:"detail,omitempty"`
	// Key changes where the sentence says something new, beyond its numbers.
	Key string `json:"key"`
}

// tell makes the headline; parts are in order, the worst first.
func tell(st *Status, parts []Partition, seen *sight) headline {
	delivery, _, _ := strings.Cut(st.Guarantee, ":")
	switch {
	case len(st.Outages) > 0:
		return away(st)
	case len(parts) > 0 && parts[0].State == "halted":
		return stopped(parts)
	case st.Phase == "running" && !seen.view.Status.Paused && !st.Live:
		return headline{Text: "stuck: " + st.Reason, Tone: "bad", Key: "stuck"}
	case st.Phase == "running" && seen.view.Status.Paused:
		return headline{Text: "paused, " + delivery + ": an operator has paused the pipeline", Tone: "warn", Key: "paused"}
	case st.Phase == "running":
		return running(delivery, st, parts)
	}
	h := headline{Text: st.Phase + ", " + delivery, Tone: "warn", Key: st.Phase}
	if st.Reason != "" {
		h.Text += ": " + st.Reason
	}
	return h
}

// running is the headline of a pipeline that moves records.
func running(delivery string, st *Status, parts []Partition) headline {
	h := headline{Tone: "good", Key: "running"}
	var lag int64
	var age float64
	known := true
	last := st.LastCommit
	for i := range parts {
		p := &parts[i]
		lag += p.Lag
		age, known = max(age, seconds(*p)), known && p.Seconds != nil
		if p.commit != nil && (last == nil || p.commit.After(*last)) {
			last = p.commit
		}
	}
	if age > late {
		h.Tone, h.Key = "warn", "behind"
	}
	h.Text = "running, " + delivery + ", " + Behind(age, known, lag) + ", " + lastCommit(last)
	return h
}

// late is how many seconds behind a pipeline may be before that is a warning.
const late = 300

// Behind says how far a pipeline is behind: by the age of the oldest record that
// is not written, in seconds, or, where that is not known, by records.
func Behind(age float64, known bool, records int64) string {
	switch {
	case age > late:
		return span(time.Duration(age*float64(time.Second))) + " behind"
	case age > 0 || known && records == 0:
		return brief(age) + " s behind"
	case records == 1:
		return "1 record behind"
	}
	return grouped(records) + " records behind"
}

func lastCommit(at *time.Time) string {
	if at == nil {
		return "no commit yet"
	}
	return "last commit " + span(time.Since(*at)) + " ago"
}

// stopped is the headline of a pipeline with halted partitions.
func stopped(parts []Partition) headline {
	n := 0
	for n < len(parts) && parts[n].State == "halted" {
		n++
	}
	first := &parts[0]
	h := headline{Tone: "bad"}
	h.Text = fmt.Sprintf("halted: %s[%d], %s", first.Topic, first.Partition, Cause(first.Why))
	if n > 1 {
		h.Text += fmt.Sprintf("; and %d more", n-1)
	}
	on := 0
	for i := range parts[n:] {
		if state := parts[n+i].State; state == "running" || state == "waiting" || state == "claiming" {
			on++
		}
	}
	h.Detail = fmt.Sprintf("%d of %d partitions go on.", on, len(parts))
	h.Key = h.Text
	return h
}

// away is the headline while something does not answer.
func away(st *Status) headline {
	h := headline{Tone: "bad"}
	var texts, details []string
	for _, o := range st.Outages {
		name := map[string]string{"kafka": "Kafka", "postgres": "PostgreSQL"}[o.Dependency]
		texts = append(texts, fmt.Sprintf("%s fails since %s (%s)", name, o.Since.UTC().Format("15:04:05 UTC"), span(time.Since(o.Since))))
		details = append(details, fmt.Sprintf("%s: attempt %d, next in %s: %s", name, o.Attempts, span(time.Until(o.Next)), o.Error))
		h.Key += o.Dependency
	}
	h.Text = "retrying: " + strings.Join(texts, "; ")
	h.Detail = strings.Join(details, "\n")
	return h
}

// Cause says an incident's kind in words.
func Cause(kind string) string {
	switch kind {
	case sinkd.DataLost:
		return "Kafka no longer holds its next records"
	case sinkd.TopicRecreated:
		return "topic was recreated"
	case sinkd.ClusterChanged:
		return "this is another Kafka cluster"
	case sinkd.PositionMissing:
		return "its position row is gone"
	case sinkd.FetchFailed:
		return "the brokers refuse it"
	case sinkd.DeadLetterLimit:
		return "the dead-letter limit is spent"
	case sinkd.AllBad:
		return "all records are bad"
	case sinkd.BadRecord:
		return "a bad record"
	case sinkd.Refused:
		return "PostgreSQL refuses the configuration"
	case "":
		return "for a reason that the log tells"
	}
	return strings.ReplaceAll(kind, "_", " ")
}

// brief gives seconds as people read them.
func brief(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1f", math.Floor(s*10)/10)
	}
	return fmt.Sprintf("%.0f", s)
}

// span gives a time that has passed, as people say it.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// grouped gives a number with spaces between thousands.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}
