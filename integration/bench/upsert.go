package main

import "math/rand/v2"

// eventKeyColumns are those of events that are found by their number.
const eventKeyColumns = "id bigint PRIMARY KEY, kind text, username text, amount numeric, at timestamptz, props jsonb"

// upserts are the contests of upsert mode. What they differ in is the keys.
func upserts(o options) []scenario {
	half := func(_ *rand.Rand, i int) int64 {
		if i%2 == 0 {
			return int64(i / 2)
		}
		return int64(o.records/2 + i/2)
	}
	before := keyedEvents("upsert-before", false, inOrder)
	return []scenario{
		upsert(o, keyedEvents("upsert-new", false, inOrder), nil, 0),
		upsert(o, keyedEvents("upsert-existing", true, inOrder), before, o.records),
		upsert(o, keyedEvents("upsert-half", true, half), before, o.records/2),
		upsert(o, keyedEvents("upsert-random", false, scattered), nil, 0),
		upsert(o, hotEvents(), nil, 0),
	}
}

// upsert is the contest of one dataset, by default and with one lane.
func upsert(o options, data, held *dataset, heldRecords int) *contest {
	name := "upsert/" + data.name[len("upsert-"):]
	mode := "SINKD_MODE=upsert"
	return &contest{
		name: name, data: data, records: o.records, rounds: o.rounds,
		merges: true, held: held, heldRecords: heldRecords,
		variants: []variant{
			{name: name, partitions: 4, env: []string{mode}},
			{name: name + "/1-lane", partitions: 4, env: []string{mode, "SINKD_LANES=1"}},
		},
	}
}

// keyedEvents are events like the narrow ones, of the keys that key gives;
// changed ones differ from those that are not, in each row.
func keyedEvents(name string, changed bool, key func(r *rand.Rand, i int) int64) *dataset {
	return &dataset{
		name: name, topic: name, columns: eventKeyColumns, key: "id",
		fill: func(r *rand.Rand, i int, rec *record) {
			e := drawEvent(r, i, rec.time)
			e.id = key(r, i)
			if changed {
				e.n += 20
			}
			e.fill(rec)
		},
	}
}

// hotEvents are events a tenth of which share a hundred keys.
func hotEvents() *dataset {
	d := keyedEvents("upsert-hot", false, func(r *rand.Rand, i int) int64 {
		if r.IntN(10) > 0 {
			return int64(1_000_000 + i)
		}
		// A key belongs to one of the four partitions.
		return int64(r.IntN(25)*4 + i%4)
	})
	d.shared = true
	return d
}

func inOrder(_ *rand.Rand, i int) int64 { return int64(i) }

// scattered gives keys in random order, none of them twice: what is odd has an
// inverse, and so has a shift that is added to what it shifts.
func scattered(_ *rand.Rand, i int) int64 {
	const mask = 1<<62 - 1
	x := uint64(i+1) * 0x9e3779b97f4a7c15 & mask
	x ^= x >> 31
	return int64(x * 0xbf58476d1ce4e5b9 & mask)
}
