package stream

import (
	"testing"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd"
)

// A record with a large value keeps nothing of what its fetch brought; a small
// one is left where it is.
func TestPushDetachesLargeRecords(t *testing.T) {
	body := make([]byte, 2*largeValue)
	text := unsafe.String(&body[300], 10)
	within := func(p *byte) bool {
		at := uintptr(unsafe.Pointer(p))
		return at >= uintptr(unsafe.Pointer(&body[0])) && at <= uintptr(unsafe.Pointer(&body[len(body)-1]))
	}
	record := func(size int) *sinkd.Record {
		return &sinkd.Record{
			Key: body[100:110], Value: body[1000 : 1000+size],
			Headers: []kgo.RecordHeader{{Key: text, Value: body[200:210]}, {Key: text}},
		}
	}
	q := newQueue(&sinkd.Claim{}, &lane{wake: make(chan struct{}, 1)}, 0)
	large, small := record(largeValue), record(largeValue-1)
	q.push([]*sinkd.Record{large, small})
	for what, p := range map[string]*byte{
		"key": &large.Key[0], "value": &large.Value[0],
		"header's key": unsafe.StringData(large.Headers[0].Key), "header's value": &large.Headers[0].Value[0],
	} {
		if within(p) {
			t.Errorf("the %s is still a part of the fetch", what)
		}
	}
	if large.Headers[1].Value != nil || len(large.Value) != largeValue || len(large.Key) != 10 {
		t.Error("the copy differs")
	}
	if !within(&small.Key[0]) || !within(&small.Value[0]) {
		t.Error("a small record was copied")
	}
}
