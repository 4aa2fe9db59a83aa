package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// payload is bytes as people and programs can read them: one of the three.
type payload struct {
	JSON json.RawMessage `json:"json,omitempty"`
	Text *string         `json:"text,omitempty"`
	Hex  string          `json:"hex,omitempty"`
}

// payloadOf gives nil for nil.
func payloadOf(b []byte) *payload {
	switch {
	case b == nil:
		return nil
	case json.Valid(b) && utf8.Valid(b):
		return &payload{JSON: b}
	case legible(b):
		text := string(b)
		return &payload{Text: &text}
	}
	return &payload{Hex: hex.EncodeToString(b)}
}

// legible tells that the bytes are text that a terminal may be given.
func legible(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' })
}

// String gives the text that is printed.
func (p *payload) String() string {
	switch {
	case p == nil:
		return "null"
	case p.JSON != nil:
		var out bytes.Buffer
		if legible(p.JSON) && json.Indent(&out, p.JSON, "", "  ") == nil {
			return out.String()
		}
		return hex.EncodeToString(p.JSON)
	case p.Text != nil:
		return *p.Text
	}
	return p.Hex
}

// header is a record's header as it is printed.
type header struct {
	Name  string   `json:"name"`
	Value *payload `json:"value"`
}

func headersOf(r *sinkd.Record) []header {
	headers := make([]header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = header{payloadOf(h.Key).name(), payloadOf(h.Value)}
	}
	return headers
}

// name gives a header's name on one line.
func (p *payload) name() string {
	if p.JSON != nil {
		return string(p.JSON)
	}
	return p.String()
}

// jsonLetter is a dead letter as JSON.
func jsonLetter(l *store.Letter) any {
	return struct {
		store.LetterRow
		SchemaID int32    `json:"schema_id,omitempty"`
		Key      *payload `json:"key"`
		Value    *payload `json:"value"`
		Headers  []header `json:"headers"`
	}{l.LetterRow, l.SchemaID, payloadOf(l.Record.Key), payloadOf(l.Record.Value), headersOf(l.Record)}
}

func printLetter(w io.Writer, l *store.Letter) {
	line := func(name, value string) { _, _ = fmt.Fprintf(w, "%-10s %s\n", name, value) }
	line("record", fmt.Sprintf("%s offset %d", sinkd.Partition{Topic: l.Topic, ID: l.Partition}, l.Offset))
	if l.Timestamp != nil {
		line("timestamp", l.Timestamp.Format(time.RFC3339Nano))
	}
	line("failed", l.Failed.Format(time.RFC3339)+", "+l.Stage)
	line("reason", oneLine(l.Reason))
	if l.SQLState != "" {
		line("sqlstate", l.SQLState)
	}
	if l.SchemaID != 0 {
		line("schema id", fmt.Sprint(l.SchemaID))
	}
	line("key", payloadOf(l.Record.Key).String())
	for _, h := range headersOf(l.Record) {
		line("header", h.Name+" = "+h.Value.String())
	}
	line("value", payloadOf(l.Record.Value).String())
}
