package lab

import (
	"os"
	"path/filepath"
)

// Recompact lets the log cleaner begin anew with every compacted topic, as if
// its checkpoint had been lost. It removes a tombstone in the second pass that
// meets it, and makes no second pass where nothing was written since the first.
// A pass under way can undo the call, so it is to be repeated until it has
// worked.
func (k *Kafka) Recompact() error {
	data := filepath.Join(k.dir, "data")
	f, err := os.CreateTemp(data, "forgotten-checkpoint-*")
	if err != nil {
		return err
	}
	if _, err := f.WriteString("0\n0\n"); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(data, "cleaner-offset-checkpoint"))
}
