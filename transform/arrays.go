package transform

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sinkd/sinkd"
)

// maxDimensions is the most that an array of Postgres has.
const maxDimensions = 6

// arrayEncoder encodes arrays from JSON arrays; nested ones are further
// dimensions.
type arrayEncoder struct {
	// elem is the OID of the elements' type, put encodes them.
	elem uint32
	put  appendFunc
	// values tells that an element is any JSON value, so that nested arrays are
	// elements.
	values bool
	// src is the array in work, which has so many dimensions of these sizes
	// (-1 while unknown), so many elements, and nulls among them.
	src        []byte
	dimensions int
	sizes      [maxDimensions]int
	elements   int
	nulls      bool
	// value is the element in work, and memory its text, where it had escapes.
	value  Value
	memory []byte
}

var (
	errRagged = errors.New("an array that is not rectangular: all arrays in it need the same length and depth")
	errDeep   = fmt.Errorf("an array that has more than %d dimensions", maxDimensions)
)

// arrayEncoderOf gives the encoder of an array, nil if its elements have none.
func arrayEncoderOf(c *sinkd.Column, r *sinkd.Route) appendFunc {
	elem := sinkd.Column{Type: c.Elem, Kind: c.ElemKind, Typmod: c.Typmod}
	put := encoderOf(&elem, r)
	if put == nil {
		return nil
	}
	return (&arrayEncoder{elem: c.Elem, put: put, values: takesJSON(&elem)}).append
}

func (e *arrayEncoder) append(dst []byte, v *Value) ([]byte, error) {
	text, ok := arrayText(v)
	if !ok {
		return dst, misfit(v, "is not an array; give it as a JSON array")
	}
	if !e.begin(text) {
		return dst, errDeep
	}
	start := len(dst)
	for range 3 + 2*e.dimensions {
		dst = append(dst, 0, 0, 0, 0)
	}
	dst, _, err := e.dimension(dst, space(text, 0)+1, 0)
	if err != nil {
		return dst, err
	}
	return e.header(dst, start), nil
}

// arrayText gives the JSON text of a value that is an array.
func arrayText(v *Value) ([]byte, bool) {
	switch v.Kind {
	case Array:
		return v.Bytes, true
	case Bytes:
		start := space(v.Bytes, 0)
		end, _, f := skip(v.Bytes, start, 0)
		return v.Bytes, f == fine && v.Bytes[start] == '[' && space(v.Bytes, end) == len(v.Bytes)
	}
	return nil, false
}

// begin counts the dimensions by the brackets that the text begins with.
func (e *arrayEncoder) begin(text []byte) bool {
	e.src, e.dimensions, e.elements, e.nulls = text, 0, 0, false
	for i := space(text, 0); text[i] == '['; i = space(text, i+1) {
		if e.dimensions == maxDimensions {
			return false
		}
		e.sizes[e.dimensions] = -1
		e.dimensions++
		if e.values {
			break
		}
	}
	return true
}

// header fills in what goes before the elements. An array without elements has
// no dimensions.
func (e *arrayEncoder) header(dst []byte, start int) []byte {
	if e.elements == 0 {
		e.dimensions = 0
		dst = dst[:start+12]
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(e.dimensions))
	if e.nulls {
		dst[start+7] = 1
	}
	binary.BigEndian.PutUint32(dst[start+8:], e.elem)
	for n, size := range e.sizes[:e.dimensions] {
		binary.BigEndian.PutUint32(dst[start+12+8*n:], uint32(size))
		dst[start+12+8*n+7] = 1 // the first index
	}
	return dst
}

// dimension appends the elements of an array of the level, behind its opening
// bracket, and gives the index behind the closing one.
func (e *arrayEncoder) dimension(dst []byte, i, level int) (out []byte, next int, err error) {
	n := 0
	i = space(e.src, i)
	more := e.src[i] != ']'
	if !more {
		i++
	}
	for ; more; n++ {
		if dst, i, err = e.member(dst, i, level); err != nil {
			return dst, i, err
		}
		i, more, _ = separator(e.src, i, ']')
	}
	if e.sizes[level] < 0 {
		e.sizes[level] = n
	}
	if e.sizes[level] != n {
		return dst, i, errRagged
	}
	return dst, i, nil
}

// member appends what stands in an array of the level: an array of the next, or
// an element in the last.
func (e *arrayEncoder) member(dst []byte, i, level int) ([]byte, int, error) {
	inner := e.src[i] == '[' && !e.values
	switch {
	case inner != (level+1 < e.dimensions):
		return dst, i, errRagged
	case inner:
		return e.dimension(dst, i+1, level+1)
	}
	return e.element(dst, i)
}

func (e *arrayEncoder) element(dst []byte, i int) ([]byte, int, error) {
	next := e.read(i)
	e.elements++
	if e.value.Kind == Null {
		e.nulls = true
		return append(dst, 0xff, 0xff, 0xff, 0xff), next, nil
	}
	start := len(dst)
	dst, err := e.put(append(dst, 0, 0, 0, 0), &e.value)
	if err != nil {
		return dst, next, errElement(err)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, next, nil
}

// errElement is why an array does not fit for one of its elements.
func errElement(err error) error { return fmt.Errorf("an array with %w", err) }

// read reads the element that begins at i, and gives the index behind it.
func (e *arrayEncoder) read(i int) (next int) {
	v := &e.value
	*v, next = valueAt(e.src, i)
	switch {
	case v.Kind == Null:
	case e.values:
		v.Kind, v.Bytes = JSON, e.src[i:next]
	case v.Kind == String && mark(v.Num)&hasEscape != 0:
		e.memory = unescape(emptied(e.memory), v.Bytes)
		v.Bytes = e.memory
	}
	return next
}

// valueAt reads the value that begins at i of a valid JSON text. A string's
// escapes are still in it.
func valueAt(src []byte, i int) (Value, int) {
	next, m, _ := skip(src, i, 0)
	v := Value{Num: uint64(m), Bytes: src[i:next]}
	switch src[i] {
	case '"':
		v.Kind, v.Bytes = String, src[i+1:next-1]
	case '{':
		v.Kind = Object
	case '[':
		v.Kind = Array
	case 'n':
		v.Kind = Null
	case 't', 'f':
		v.Kind, v.Num = Bool, 0
		if src[i] == 't' {
			v.Num = 1
		}
	default:
		v.Kind = Number
	}
	return v, next
}
