package transform

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sinkd/sinkd"
)

// keyGuess is what the records of a sample say about their keys.
type keyGuess struct {
	// none counts records without a key, scalars those whose key is one value,
	// objects those whose key is a JSON object, and fields its fields.
	none, scalars, objects int
	fields                 map[string]int
	order                  []string
	// seen are the keys, repeated counts those that were there before.
	seen     map[string]bool
	repeated int
}

// note takes a key into account, and gives its text where it is one value.
func (k *keyGuess) note(key []byte) string {
	if key == nil {
		k.none++
		return ""
	}
	if k.seen == nil {
		k.seen, k.fields = make(map[string]bool), make(map[string]int)
	}
	if k.seen[string(key)] {
		k.repeated++
	}
	k.seen[string(key)] = true
	if isObject(key) {
		if fields, err := fieldsOf(key); err == nil {
			k.objects++
			k.object(fields)
			return ""
		}
	}
	k.scalars++
	return keyText(key)
}

func (k *keyGuess) object(fields []field) {
	for i := range fields {
		name := fields[i].name
		if k.fields[name] == 0 {
			k.order = append(k.order, name)
		}
		k.fields[name]++
	}
}

// keyText gives the text of a key that is one value, empty where it is none.
func keyText(key []byte) string {
	if fields, err := fieldsOf(append(append([]byte(`{"":`), key...), '}')); err == nil && len(fields) == 1 {
		return scalarText(&fields[0])
	}
	if !utf8.Valid(key) {
		return ""
	}
	return string(key)
}

// scalarText gives the text of a string or a number, empty of anything else.
func scalarText(f *field) string {
	if f.value.Kind == String || f.value.Kind == Number {
		return string(f.value.Bytes)
	}
	return ""
}

// key proposes the columns that tell records apart as their keys do.
func (p *proposer) key() {
	k := &p.keys
	switch n := p.out.Records; {
	case len(p.out.Columns) == 0:
	case p.keyed() && len(p.route.Key) > 0:
		p.offer(p.route.Key)
	case k.none == n:
		p.note("no record has a key: no columns are proposed as one")
	case k.none > 0:
		p.note("%d of %d records have no key: no columns are proposed as one", k.none, n)
	case k.objects == n:
		names := slices.DeleteFunc(slices.Clone(k.order), func(name string) bool { return k.fields[name] < n })
		p.offer(names)
	case k.scalars == n:
		p.offerScalar()
	default:
		p.note("some keys are JSON objects, and some are not: no columns are proposed as one")
	}
	if k.repeated > 0 {
		p.note("%d of %d records have a key that an earlier one has: in append mode each is a row", k.repeated, p.out.Records)
	}
}

// keyed tells whether the route's mode has a key.
func (p *proposer) keyed() bool { return p.route.Mode == sinkd.Upsert || p.route.Mode == sinkd.Ignore }

// offerScalar proposes the field that is the record's key.
func (p *proposer) offerScalar() {
	for i := range p.out.Columns {
		if name := p.out.Columns[i].Name; p.guesses[name].isKey == p.out.Records {
			p.offer([]string{name})
			return
		}
	}
	p.note("no field is the record's key: SINKD_COLUMNS=key=@key, with a column key of type text, keeps it")
}

// offer proposes columns as the key, where each record has a value for each.
func (p *proposer) offer(names []string) {
	for _, name := range names {
		i := slices.IndexFunc(p.out.Columns, func(c sinkd.ProposedColumn) bool { return c.Name == name })
		switch {
		case i < 0 || p.out.Columns[i].Seen < p.out.Records:
			p.note("key field %s is not in all values: in modes upsert and ignore a column of that name takes it from the record's key", printable(name))
			return
		case !p.out.Columns[i].NotNull:
			p.note("key field %s is null in some records, which a key cannot be", printable(name))
			return
		}
	}
	if len(names) > maxKey {
		p.note("the record's key has %d fields, and an index takes %d", len(names), maxKey)
		return
	}
	p.out.Key = append(p.out.Key, names...)
	if len(names) > 0 {
		p.note("key (%s): a key should belong to one partition", printable(strings.Join(names, ", ")))
	}
}

// maxKey is the most columns of an index.
const maxKey = 32
