package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

func TestSettingsHideSecrets(t *testing.T) {
	c, err := config.Load(enough("SINKD_KAFKA_SASL_MECHANISM=PLAIN", "SINKD_KAFKA_SASL_USERNAME=ann", "SINKD_KAFKA_SASL_PASSWORD=hunter2",
		"SINKD_HTTP_TOKEN=hunter2", "SINKD_KAFKA_TLS_KEY=hunter2"), config.Flow)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("problems: %v", err)
	}
	var all strings.Builder
	for _, s := range c.Settings() {
		all.WriteString(s.Name + "=" + s.Value + "\n")
	}
	if strings.Contains(all.String(), "hunter2") {
		t.Errorf("a secret is shown:\n%s", all.String())
	}
	for _, want := range []string{
		"SINKD_DATABASE_URL=postgres://u:***@db/app\n", "SINKD_KAFKA_SASL_USERNAME=ann\n", "SINKD_KAFKA_SASL_PASSWORD=***\n",
		"SINKD_KAFKA_GROUP=sinkd-default\n", "SINKD_BATCH_INTERVAL=200ms\n",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is missing in\n%s", want, all.String())
		}
	}
}

func TestDatabaseURLsAreRedacted(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://db/app":                                 "postgres://db/app",
		"postgres://u@db/app?sslmode=disable":               "postgres://u:***@db/app?sslmode=disable",
		"postgres://u:p%40w@h1:1,h2:2/app?password=secret":  "postgres://u:***@h1:1,h2:2/app?password=***",
		"postgres://u:a@b:c@db/app":                         "postgres://u:***@db/app",
		"postgres://u:a@b@db/app?options=-c%20x@y":          "postgres://u:***@y",
		"host=db user=u password='it''s' dbname=app":        "host=db user=u password=*** dbname=app",
		`host=db password = 'a b\' c' sslkey=/k`:            "host=db password=*** sslkey=***",
		"host=db port=5433 passfile=/root/.pgpass dbname=x": "host=db port=5433 passfile=*** dbname=x",
	} {
		c, _ := config.Load([]string{"SINKD_DATABASE_URL=" + text}, config.Nothing)
		for _, s := range c.Settings() {
			if s.Name == "SINKD_DATABASE_URL" && s.Value != want {
				t.Errorf("%s\nis shown as %s\nand not     %s", text, s.Value, want)
			}
		}
	}
}

const (
	tableBegin = "<!-- variables: made by `make generate` -->\n"
	tableEnd   = "<!-- end of variables -->\n"
)

var update = flag.Bool("update", false, "write the README's table of variables")

// TestREADME keeps the README's table of variables as the struct says.
func TestREADME(t *testing.T) {
	path := filepath.Join("..", "..", "..", "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		t.Fatal("README.md lacks the marks of the table of variables")
	}
	want := before + tableBegin + "\n" + config.Table() + "\n" + tableEnd + after
	switch {
	case want == string(text):
	case *update:
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("the README's table of variables is out of date: run make generate")
	}
}
