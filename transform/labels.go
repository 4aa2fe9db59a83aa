package transform

// labelEncoder encodes enums: a label travels as it is written, and Postgres
// knows which ones there are.
type labelEncoder struct{ text textEncoder }

func (e *labelEncoder) append(dst []byte, v *Value) ([]byte, error) {
	if v.Kind == Array || v.Kind == Object {
		return dst, misfit(v, "is not a label of the enum")
	}
	return e.text.append(dst, v)
}
