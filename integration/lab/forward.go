package lab

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
)

// forward is the direction from the client to the server. It knows what text
// an Execute executes.
type forward struct {
	*link
	from       *bufio.Reader
	to         *bufio.Writer
	statements map[string]string // prepared statement -> text
	portals    map[string]string // portal -> text
	sofar      int64             // bytes of the COPY in progress
}

func newForward(l *link, from *bufio.Reader) *forward {
	return &forward{
		link: l, from: from, to: bufio.NewWriterSize(l.server, 1<<16),
		statements: make(map[string]string), portals: make(map[string]string),
	}
}

func (f *forward) run() {
	for f.message() {
		if f.from.Buffered() == 0 && f.to.Flush() != nil {
			return
		}
	}
}

// message forwards one message: its type, four bytes of length that count
// themselves, its body.
func (f *forward) message() bool {
	head := make([]byte, 5)
	if _, err := io.ReadFull(f.from, head); err != nil {
		return f.end()
	}
	size := int64(binary.BigEndian.Uint32(head[1:])) - 4
	if size < 0 || !f.pass() {
		return false
	}
	switch head[0] {
	case 'Q', 'P', 'B', 'E', 'C':
		body := make([]byte, size)
		if _, err := io.ReadFull(f.from, body); err != nil || !f.statement(head[0], body) {
			return false
		}
		return f.write(head) && f.write(body)
	case 'd':
		return f.copyData(head, size)
	case 'c', 'f':
		f.sofar = 0
	}
	return f.write(head) && f.relay(size)
}

// end lets a client's end wait as well while the connection is stalled.
func (f *forward) end() bool {
	f.pass()
	return false
}

// statement keeps account of the texts behind names, and lets faults strike
// where a text is about to be executed.
func (f *forward) statement(kind byte, body []byte) bool {
	word := bytes.Split(body, []byte{0})
	if len(word) < 2 {
		return true // malformed, for the server to refuse
	}
	first, second := string(word[0]), string(word[1])
	switch kind {
	case 'P':
		f.statements[first] = second
	case 'B':
		f.portals[first] = f.statements[second]
	case 'C':
		if name := strings.TrimPrefix(first, "S"); name != first {
			delete(f.statements, name)
		} else {
			delete(f.portals, strings.TrimPrefix(first, "P"))
		}
	case 'E':
		return f.execute(f.portals[first])
	case 'Q':
		return f.execute(first)
	}
	return true
}

func (f *forward) execute(sql string) bool {
	f.sofar = 0
	if isCommit(sql) {
		if fault := f.take(happening{at: beforeCommit}); fault != nil && !f.strike(fault) {
			return false
		}
	}
	fault := f.take(happening{at: beforeStatement, sql: sql})
	return fault == nil || f.strike(fault)
}

func (f *forward) copyData(head []byte, size int64) bool {
	rest := size
	if fault := f.take(happening{at: inCopy, bytes: f.sofar + size}); fault != nil {
		part := max(0, fault.bytes-f.sofar)
		rest -= part
		if part > 0 && !(f.write(head) && f.relay(part)) || !f.strike(fault) {
			return false
		}
		if part > 0 {
			head = nil
		}
	}
	f.sofar += size
	f.copied.Store(true)
	return f.write(head) && f.relay(rest)
}

// strike sends what came before, so that the server stands where the client
// believes it stands.
func (f *forward) strike(fault *Fault) bool {
	return f.to.Flush() == nil && fault.strike(f.link)
}

func (f *forward) write(b []byte) bool {
	_, err := f.to.Write(b)
	return err == nil
}

func (f *forward) relay(n int64) bool {
	_, err := io.CopyN(f.to, f.from, n)
	return err == nil
}

// isCommit tells whether one of the statements of a text ends a transaction
// with COMMIT. Texts with a semicolon inside of a literal are not understood.
func isCommit(sql string) bool {
	for stmt := range strings.SplitSeq(sql, ";") {
		words := strings.Fields(strings.ToUpper(stmt))
		if len(words) > 0 && (words[0] == "COMMIT" || words[0] == "END") && (len(words) == 1 || words[1] != "PREPARED") {
			return true
		}
	}
	return false
}
