package lab

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Codes in place of the protocol's version in the first message of a
// connection. https://www.postgresql.org/docs/current/protocol-message-formats.html
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSS    = 80877104
)

// startup is the first message of a connection.
type startup struct {
	raw         []byte
	cancel      bool // it asks to cancel what another connection does
	application string
}

// readStartup reads the first message. To a client that asks for encryption
// it says that there is none.
func readStartup(from *bufio.Reader, to io.Writer) (startup, error) {
	for {
		head, err := from.Peek(8)
		if err != nil {
			return startup{}, err
		}
		size, code := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
		if size < 8 || size > 10000 {
			return startup{}, fmt.Errorf("startup message of %d bytes", size)
		}
		raw := make([]byte, size)
		if _, err := io.ReadFull(from, raw); err != nil {
			return startup{}, err
		}
		switch code {
		case codeSSL, codeGSS:
			if _, err := to.Write([]byte("N")); err != nil {
				return startup{}, err
			}
		case codeCancel:
			return startup{raw: raw, cancel: true}, nil
		default:
			return startup{raw: raw, application: parameter(raw[8:], "application_name")}, nil
		}
	}
}

// parameter finds a parameter in the list of a startup message: names and
// values in turn, each ended by a zero byte.
func parameter(list []byte, name string) string {
	words := bytes.Split(list, []byte{0})
	for i := 0; i+1 < len(words); i += 2 {
		if string(words[i]) == name {
			return string(words[i+1])
		}
	}
	return ""
}
