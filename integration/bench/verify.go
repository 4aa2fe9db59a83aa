package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"time"
)

// verifyBar is how long a deep verification of a million records may take.
const verifyBar = 30 * time.Second

// verification measures `sinkd verify --deep` on a table in which single rows
// were deleted, doubled and changed by hand, and checks that it finds exactly
// these.
type verification struct {
	name    string
	data    *dataset
	columns string
	records int
	env     []string
	// tamper are the statements, found what they are found as.
	tamper, found []string
}

// verifications are those that the bar is about, and the other ways to compare.
func verifications(o options) []scenario {
	third := fmt.Sprint(o.records / 12)
	coordinates := ", kafka_partition int, kafka_offset bigint"
	found := []string{"lost 0/" + third, "doubled 1/" + third, "changed 2/" + third}
	one := func(format string, partition int) string {
		return fmt.Sprintf(format, table) + fmt.Sprintf(" WHERE kafka_partition = %d AND kafka_offset = %s", partition, third)
	}
	double := one("INSERT INTO %s SELECT * FROM "+table, 1)
	return []scenario{
		&verification{
			name: "verify", data: narrow, columns: eventColumns + coordinates, records: o.records, found: found,
			tamper: []string{one("DELETE FROM %s", 0), double, one("UPDATE %s SET amount = coalesce(amount, 0) + 0.01", 2)},
		},
		&verification{
			name: "verify/landing", data: landing, columns: landing.columns, records: o.records, found: found,
			tamper: []string{one("DELETE FROM %s", 0), double, one("UPDATE %s SET kafka_timestamp = now()", 2)},
		},
		&verification{
			name: "verify/upsert", data: narrow, columns: eventColumns + coordinates + ", PRIMARY KEY (id)", records: o.records,
			found: []string{found[0], found[2]}, env: []string{"SINKD_MODE=upsert"},
			tamper: []string{one("DELETE FROM %s", 0), one("UPDATE %s SET username = 'somebody'", 2)},
		},
	}
}

func (v *verification) title() string { return v.name }

func (v *verification) narrowed(run *regexp.Regexp) scenario {
	if !run.MatchString(v.name) {
		return nil
	}
	return v
}

func (v *verification) measure(ctx context.Context, b *bench) ([]result, error) {
	topic, err := b.topic(ctx, v.data, 4, v.records)
	if err != nil {
		return nil, err
	}
	if err := b.fresh(ctx, v.columns); err != nil {
		return nil, err
	}
	env, schema, err := b.pipeline(topic, v.env)
	if err != nil {
		return nil, err
	}
	_, err = b.timed(ctx, v.records, func(ctx context.Context) (*child, error) {
		return b.startChild(ctx, env, b.sinkd, "run", "--until-caught-up")
	})
	if err != nil {
		return nil, err
	}
	for _, sql := range v.tamper {
		if _, err := b.conn.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	b.settle(ctx)
	s, err := v.run(ctx, b, env)
	if err != nil {
		return nil, err
	}
	fmt.Printf("%s: %d records in %.1f s, CPU itself %.1f s, postgres %.1f, broker %.1f, other %.1f, peak %s\n\n", v.name, s.records,
		s.wall.Seconds(), s.cpu.Seconds(), s.usage.postgres.Seconds(), s.usage.broker.Seconds(), s.other().Seconds(), mebibytes(s.peak))
	return []result{{name: v.name, samples: []sample{s}}}, b.forget(ctx, schema)
}

// run verifies, and checks what was found.
func (v *verification) run(ctx context.Context, b *bench, env []string) (sample, error) {
	var c *child
	s, err := b.timed(ctx, v.records, func(ctx context.Context) (started *child, err error) {
		c, err = b.startChild(ctx, env, b.sinkd, "verify", "--deep", "--json")
		return c, err
	})
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		return s, fmt.Errorf("verify did not end with a finding: %w", err)
	}
	found, err := findings(c.log)
	if err == nil && !slices.Equal(found, v.found) {
		err = fmt.Errorf("verify found %q in place of %q", found, v.found)
	}
	return s, err
}

// findings reads what the report has for differences.
func findings(path string) ([]string, error) {
	out, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r struct {
		Tables []struct {
			Differences []struct {
				Kind      string
				Partition int32
				Offset    int64
			}
		}
	}
	if err := json.Unmarshal(out[max(0, bytes.IndexByte(out, '{')):], &r); err != nil {
		return nil, fmt.Errorf("the report of verify: %w", err)
	}
	var found []string
	for _, t := range r.Tables {
		for _, d := range t.Differences {
			found = append(found, fmt.Sprintf("%s %d/%d", d.Kind, d.Partition, d.Offset))
		}
	}
	return found, nil
}

// verifyBars have one for each way to compare.
func verifyBars(results []result) []bar {
	var all []bar
	for i := range results {
		r := &results[i]
		if r.name != "verify" && r.name != "verify/landing" && r.name != "verify/upsert" {
			continue
		}
		s := r.samples[0]
		limit := time.Duration(float64(verifyBar) * max(1, float64(s.records)/1e6))
		all = append(all, bar{r.name + " --deep", "< " + limit.String(), fmt.Sprintf("%.1f s", s.wall.Seconds()), s.wall < limit})
	}
	return all
}
