package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
)

// poison measures a topic some of whose records can never be rows.
type poison struct {
	records  int
	rounds   int
	variants []poisoned
}

// poisoned is one topic: percent of its records are broken, by spoil.
type poisoned struct {
	name    string
	percent int
	spoil   func(i int, e *event, rec *record)
}

// poisonRecords is how long the topics are.
const poisonRecords = 200_000

// poisonColumns refuse what the spoiled kind is.
const poisonColumns = eventColumns + ", CHECK (kind <> 'poison')"

func poisons(o options) []scenario {
	p := &poison{records: min(poisonRecords, o.records), rounds: o.rounds}
	p.variants = []poisoned{{name: "poison/none"}}
	for _, percent := range []int{1, 10, 100} {
		p.variants = append(p.variants,
			poisoned{fmt.Sprintf("poison/undecodable/%d", percent), percent, undecodable},
			poisoned{fmt.Sprintf("poison/refused/%d", percent), percent, refused})
	}
	return []scenario{p}
}

// undecodable breaks the JSON of every second record, and gives others a text
// where a number has to be.
func undecodable(i int, e *event, rec *record) {
	if rec.line = rec.line[:0]; i%2 == 0 {
		rec.value = rec.value[:len(rec.value)-1]
		return
	}
	rec.value = fmt.Appendf(rec.value[:0], `{"id":%d,"amount":"none"}`, e.id)
}

// refused violates the table's check.
func refused(_ int, e *event, rec *record) {
	e.kind = "poison"
	rec.key, rec.value = rec.key[:0], rec.value[:0]
	e.fill(rec)
	rec.line = rec.line[:0]
}

func (v *poisoned) dataset() *dataset {
	name := regexp.MustCompile(`\W+`).ReplaceAllString(v.name, "-")
	return &dataset{
		name: name, topic: name, columns: poisonColumns,
		fill: func(r *rand.Rand, i int, rec *record) {
			e := drawEvent(r, i, rec.time)
			e.fill(rec)
			if v.bad(i) {
				v.spoil(i, &e, rec)
			}
		},
	}
}

// bad tells whether record i is broken. They are spread over the partitions.
func (v *poisoned) bad(i int) bool { return (i+i/100)*37%100 < v.percent }

func (p *poison) title() string { return "poison" }

func (p *poison) narrowed(run *regexp.Regexp) scenario {
	kept := *p
	kept.variants = slices.DeleteFunc(slices.Clone(p.variants), func(v poisoned) bool {
		return !run.MatchString(v.name)
	})
	switch {
	case len(kept.variants) == 0:
		return nil
	case kept.variants[0].name != p.variants[0].name: // what the others are compared with
		kept.variants = slices.Insert(kept.variants, 0, p.variants[0])
	}
	return &kept
}

func (p *poison) measure(ctx context.Context, b *bench) ([]result, error) {
	results := make([]result, len(p.variants))
	for round := range p.rounds {
		for i, v := range p.variants {
			s, err := v.run(ctx, b, p.records)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", v.name, err)
			}
			r := &results[i]
			r.name, r.samples = v.name, append(r.samples, s)
			r.ratios = append(r.ratios, s.rate()/results[0].samples[round].rate())
			r.ratio = median(r.ratios)
			b.say("round %d/%d, %s: %.2f s, others %.0f %%", round+1, p.rounds, v.name, s.wall.Seconds(), 100*s.disturbed())
		}
	}
	printPoison(os.Stdout, p.records, results)
	return results, nil
}

// run loads the topic once, and compares table and dead letters with what is in
// it.
func (v *poisoned) run(ctx context.Context, b *bench, n int) (sample, error) {
	const partitions = 4
	d := v.dataset()
	topic, err := b.topic(ctx, d, partitions, n)
	if err != nil {
		return sample{}, err
	}
	want, err := v.expected(ctx, b, d, n)
	if err != nil {
		return sample{}, err
	}
	if err := b.fresh(ctx, d.columns); err != nil {
		return sample{}, err
	}
	b.settle(ctx)
	env, schema, err := b.pipeline(topic, []string{"SINKD_DEAD_LETTER_LIMIT=off"})
	if err != nil {
		return sample{}, err
	}
	s, err := b.timed(ctx, n, func(ctx context.Context) (*child, error) {
		return b.startChild(ctx, env, b.sinkd, "run", "--until-caught-up")
	})
	if v.percent == 100 {
		err = v.halted(ctx, b, schema, err)
	} else if err == nil {
		err = v.landed(ctx, b, schema, want, n)
	}
	if err != nil {
		return s, err
	}
	return s, b.forget(ctx, schema)
}

// expected is what \copy makes of the good records.
func (v *poisoned) expected(ctx context.Context, b *bench, d *dataset, n int) (fingerprint, error) {
	if err := b.fresh(ctx, d.columns); err != nil {
		return fingerprint{}, err
	}
	file, err := b.textFile(d, 4, n)
	if err != nil {
		return fingerprint{}, err
	}
	if _, err := b.copyRun(ctx, file, n); err != nil {
		return fingerprint{}, err
	}
	return b.fingerprint(ctx)
}

// landed checks that the good records are rows, and all others dead letters.
func (v *poisoned) landed(ctx context.Context, b *bench, schema string, want fingerprint, n int) error {
	got, err := b.fingerprint(ctx)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the table holds %+v, want %+v", got, want)
	}
	letters, err := v.letters(ctx, b, schema)
	if err != nil {
		return err
	}
	bad := 0
	for i := range n {
		if !v.bad(i) {
			continue
		}
		bad++
		if at := [2]int64{int64(i % 4), int64(i / 4)}; !letters[at] {
			return fmt.Errorf("no dead letter for partition %d, offset %d", at[0], at[1])
		}
	}
	if len(letters) != bad || int64(n-bad) != got.rows {
		return fmt.Errorf("%d rows and %d dead letters, want %d and %d", got.rows, len(letters), n-bad, bad)
	}
	return nil
}

// letters gives the partitions and offsets of the dead letters.
func (v *poisoned) letters(ctx context.Context, b *bench, schema string) (map[[2]int64]bool, error) {
	rows, err := b.conn.Query(ctx, "SELECT partition::bigint, record_offset FROM "+schema+".dead_letters")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	letters := make(map[[2]int64]bool)
	for rows.Next() {
		var at [2]int64
		if err := rows.Scan(&at[0], &at[1]); err != nil {
			return nil, err
		}
		letters[at] = true
	}
	return letters, rows.Err()
}

// halted checks that sinkd has ended with 1 because a route that never wrote a
// row began with 100 bad records: no more of them are dead letters, and all of
// its partitions are halted for that reason where they stand.
func (v *poisoned) halted(ctx context.Context, b *bench, schema string, ended error) error {
	exit, ok := errors.AsType[*exec.ExitError](ended)
	if !ok || exit.ExitCode() != 1 {
		return fmt.Errorf("want exit code 1: %w", ended)
	}
	const sql = `SELECT format('%%s rows, fewer than 100 letters: %%s, as many as the positions tell: %%s, halted: %%s',
		(SELECT count(*) FROM %s), count(*) < 100, count(*) = (SELECT sum(next_offset) FROM %s.offsets),
		(SELECT array_agg(DISTINCT coalesce(halted, 'no')) FROM %s.offsets)) FROM %s.dead_letters`
	var got string
	if err := b.conn.QueryRow(ctx, fmt.Sprintf(sql, table, schema, schema, schema)).Scan(&got); err != nil {
		return err
	}
	if want := "0 rows, fewer than 100 letters: t, as many as the positions tell: t, halted: {all_bad}"; got != want {
		return fmt.Errorf("it is %q, want %q", got, want)
	}
	return nil
}
