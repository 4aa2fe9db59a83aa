package main

import (
	"encoding/json"
	"testing"
)

func TestPollsSendEachQuakeFourTimes(t *testing.T) {
	quakes, err := readWeek()
	if err != nil {
		t.Fatal(err)
	}
	if len(quakes) != 1707 {
		t.Errorf("%d earthquakes", len(quakes))
	}
	times := map[string]int{}
	for _, r := range polls(quakes) {
		times[string(r.key)]++
	}
	for _, q := range quakes {
		if times[q.id] != int(pollWindow/pollEvery) {
			t.Errorf("%s is sent %d times", q.id, times[q.id])
		}
	}
}

func TestEveryDamageIsDone(t *testing.T) {
	quakes, err := readWeek()
	if err != nil {
		t.Fatal(err)
	}
	sound := polls(quakes)
	done := map[string]int{}
	records := breakSome(sound, 2)
	for _, r := range records {
		if r.broken != "" {
			done[r.broken]++
		} else if !json.Valid(r.value) {
			t.Errorf("%s is invalid", r.key)
		}
	}
	for _, d := range damages() {
		if done[d.what] != 2 {
			t.Errorf("%s: %d times", d.what, done[d.what])
		}
	}
	if want := len(sound) + 2*len(damages()); len(records) != want {
		t.Errorf("%d records, want %d", len(records), want)
	}
}
