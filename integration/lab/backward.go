package lab

import (
	"bufio"
	"encoding/binary"
	"io"
)

// backward forwards from the server to the client, and lets faults strike
// where the server tells that a COMMIT is done.
func (l *link) backward(from *bufio.Reader) {
	to := bufio.NewWriterSize(l.client, 1<<16)
	defer l.pass() // while the connection is stalled, its end is not seen either
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		size := int64(binary.BigEndian.Uint32(head[1:])) - 4
		if size < 0 || !l.pass() {
			return
		}
		switch head[0] {
		case 'C':
			if holds(from, size, "COMMIT\x00") {
				fault := l.take(happening{at: afterCommit})
				if fault != nil && (to.Flush() != nil || !fault.strike(l)) {
					return
				}
			}
		case 'Z':
			if holds(from, size, "I") { // idle: the transaction has ended
				l.copied.Store(false)
			}
		}
		if _, err := to.Write(head); err != nil {
			return
		}
		if _, err := io.CopyN(to, from, size); err != nil {
			return
		}
		if from.Buffered() == 0 && to.Flush() != nil {
			return
		}
	}
}

// holds tells whether the body of a message, of the given size, is want.
func holds(from *bufio.Reader, size int64, want string) bool {
	if size != int64(len(want)) {
		return false
	}
	body, err := from.Peek(len(want))
	return err == nil && string(body) == want
}
