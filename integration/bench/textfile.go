package main

import (
	"bufio"
	"fmt"
	"os"
)

// textFile gives the file that \copy loads the first n records of a dataset
// from, as they lie in a topic of so many partitions.
func (b *bench) textFile(d *dataset, partitions, n int) (string, error) {
	name := fmt.Sprintf("%s-%d.txt", d.name, n)
	if path := b.files[name]; path != "" {
		return path, nil
	}
	f, err := os.Create(b.path(name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for rec := range d.records(b.opts.seed, topicName(d, partitions), partitions, n) {
		if _, err := w.Write(rec.line); err != nil {
			return "", err
		}
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	b.files[name] = f.Name()
	return f.Name(), f.Close()
}
