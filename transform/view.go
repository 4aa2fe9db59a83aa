package transform

import "unsafe"

// textOf views bytes as a string, for functions that only read it.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf views a string as bytes, for functions that only read them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// emptied gives a buffer for its next use, unless one giant record made it too
// large to be kept.
func emptied(buf []byte) []byte {
	if cap(buf) > largeBuffer {
		return nil
	}
	return buf[:0]
}
