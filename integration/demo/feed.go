package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// week is a week of the USGS feed; data/README.md says where it is from.
//
//go:embed data/earthquakes.geojson.gz
var week []byte

// The reader of the feed that the demo plays: every six hours it reads the
// past day, and sends what it sees. So every earthquake is sent four times,
// which are four records: that they are the same is for the reader of the
// table to know, and for no sink to guess.
const (
	pollEvery  = 6 * time.Hour
	pollWindow = 24 * time.Hour
)

// quake is one feature of the feed.
type quake struct {
	id    string
	at    int64 // ms since 1970
	value []byte
}

// record is what is sent to Kafka.
type record struct {
	key, value []byte
	// broken says what is wrong with the value; "" = nothing.
	broken string
}

// readWeek gives the features of the feed, oldest first, as the bytes that the
// USGS wrote.
func readWeek() ([]quake, error) {
	r, err := gzip.NewReader(bytes.NewReader(week))
	if err != nil {
		return nil, err
	}
	var collection struct{ Features []json.RawMessage }
	if err := json.NewDecoder(r).Decode(&collection); err != nil {
		return nil, fmt.Errorf("the feed: %w", err)
	}
	quakes := make([]quake, len(collection.Features))
	for i, value := range collection.Features {
		var feature struct {
			ID         string
			Properties struct{ Time int64 }
		}
		if err := json.Unmarshal(value, &feature); err != nil {
			return nil, fmt.Errorf("feature %d of the feed: %w", i, err)
		}
		quakes[i] = quake{id: feature.ID, at: feature.Properties.Time, value: value}
	}
	slices.SortFunc(quakes, func(a, b quake) int { return int(a.at - b.at) })
	return quakes, nil
}

// polls gives the records in the order in which the reader of the feed sends
// them.
func polls(quakes []quake) []record {
	var records []record
	first, last := quakes[0].at, quakes[len(quakes)-1].at
	window, step := pollWindow.Milliseconds(), pollEvery.Milliseconds()
	for now := first; now-window < last; now += step {
		for _, q := range quakes {
			if now-window < q.at && q.at <= now {
				records = append(records, record{key: []byte(q.id), value: q.value})
			}
		}
	}
	return records
}
