package web

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sinkd/sinkd/store"
)

// letterShown is one dead letter in the page's list. Key, value and headers are
// data, so they are there only behind the token.
type letterShown struct {
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Offset    int64           `json:"offset"`
	Timestamp *time.Time      `json:"timestamp,omitempty"`
	Stage     string          `json:"stage"`
	Reason    string          `json:"reason"`
	SQLState  string          `json:"sqlstate,omitempty"`
	Failed    time.Time       `json:"failed_at"`
	Key       *payload        `json:"key,omitempty"`
	Value     *payload        `json:"value,omitempty"`
	Headers   json.RawMessage `json:"headers,omitempty"`
}

// payload is bytes as people read them.
type payload struct {
	// Form is json, text, hex or null.
	Form string `json:"form"`
	Text string `json:"text"`
	// Bytes is the length of all of it, Cut tells that Text is the beginning.
	Bytes int64 `json:"bytes"`
	Cut   bool  `json:"cut"`
}

// lettersShown are the dead letters on the page.
type lettersShown struct {
	// Count is exact below Limit.
	Count    int64         `json:"count"`
	Limit    int64         `json:"limit"`
	Payloads bool          `json:"payloads"`
	Newest   []letterShown `json:"newest"`
}

func showLetters(seen *sight, payloads bool) lettersShown {
	out := lettersShown{
		Count: seen.view.Letters.Count, Limit: store.LettersCounted, Payloads: payloads,
		Newest: make([]letterShown, len(seen.letters.Newest)),
	}
	for i := range seen.letters.Newest {
		l := &seen.letters.Newest[i]
		shown := letterShown{
			Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, Timestamp: l.Timestamp,
			Stage: l.Stage, Reason: l.Reason, SQLState: l.SQLState, Failed: l.Failed,
		}
		if payloads {
			shown.Key, shown.Value = readable(l.Key, int64(len(l.Key))), readable(l.Value, max(l.ValueBytes, 0))
			shown.Headers = l.Headers
		}
		out.Newest[i] = shown
	}
	return out
}

// hexBytes is how much of a payload that is no text is shown.
const hexBytes = 512

// readable makes text of bytes: JSON where it is that, else what can be read as
// text, else hex. b is the beginning of a payload of all bytes; nil is NULL.
func readable(b []byte, all int64) *payload {
	p := &payload{Bytes: all, Cut: int64(len(b)) < all}
	if b == nil {
		p.Form = "null"
		return p
	}
	var indented bytes.Buffer
	text := b
	if p.Cut {
		text = whole(b)
	}
	switch {
	case !p.Cut && json.Indent(&indented, b, "", "  ") == nil:
		p.Form, p.Text = "json", indented.String()
	case legible(text):
		p.Form, p.Text = "text", string(text)
	default:
		p.Form = "hex"
		p.Cut = p.Cut || len(b) > hexBytes
		p.Text = hex.Dump(b[:min(len(b), hexBytes)])
	}
	return p
}

// whole leaves out a character that was cut.
func whole(b []byte) []byte {
	for i := 1; i <= min(utf8.UTFMax, len(b)); i++ {
		if utf8.RuneStart(b[len(b)-i]) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// legible tells whether bytes are text that a page can show.
func legible(b []byte) bool {
	if len(b) == 0 || !utf8.Valid(b) {
		return len(b) == 0
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return true
}
