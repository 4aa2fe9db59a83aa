package integration_test

import (
	"os"
	"testing"

	"github.com/sinkd/sinkd/integration/lab"
)

func TestMain(m *testing.M) {
	code := lab.Run(m)
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}
