package store

import (
	"errors"
	"io"
	"os"
	"sync"
	"testing"
)

// Bytes that were given back may be written while somebody goes on to read; the
// race detector tells where they are still read.
func TestLentBytesAreGivenBack(t *testing.T) {
	stream := make([]byte, 1<<20)
	l := &lent{rest: stream}
	begun := make(chan struct{})
	var reading sync.WaitGroup
	var end error
	reading.Go(func() {
		p := make([]byte, 64)
		for n := 0; end == nil; n++ {
			if n == 1 {
				close(begun)
			}
			_, end = l.Read(p)
		}
	})
	<-begun
	l.back()
	clear(stream)
	reading.Wait()
	if !errors.Is(end, os.ErrClosed) && !errors.Is(end, io.EOF) {
		t.Errorf("read: %v", end)
	}
	if _, err := l.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after back: %v", err)
	}
}
