package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// TestChartSchema keeps the schema of the Helm chart's values as the struct
// says.
func TestChartSchema(t *testing.T) {
	path := filepath.Join("..", "..", "..", "deploy", "helm", "values.schema.json")
	want, err := config.ChartSchema()
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: run make generate (%v)", path, err)
	}
}
