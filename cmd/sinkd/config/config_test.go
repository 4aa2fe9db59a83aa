package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// enough is the least that makes a working configuration.
func enough(more ...string) []string {
	return append([]string{
		"SINKD_KAFKA_BROKERS=kafka:9092",
		"SINKD_TOPICS=orders",
		"SINKD_DATABASE_URL=postgres://u:hunter2@db/app",
		"HOME=/root",
	}, more...)
}

func load(t *testing.T, environment ...string) *config.Config {
	t.Helper()
	c, err := config.Load(environment, config.Flow)
	if err != nil {
		t.Fatalf("a good configuration was refused:\n%v", err)
	}
	return c
}

func TestThreeVariablesAreEnough(t *testing.T) {
	c := load(t, enough()...)
	r := c.Routes[0]
	if len(c.Routes) != 1 || r.Topics[0] != "orders" || r.Schema != "public" || r.Name != "{topic}" || !r.Create {
		t.Errorf("route: %+v", r)
	}
	if c.KafkaGroup != "sinkd-default" || c.Lanes < 1 || c.Lanes > 4 || c.TLS != nil {
		t.Errorf("group %q, lanes %d, tls %v", c.KafkaGroup, c.Lanes, c.TLS)
	}
	if c.BatchInterval != 200*time.Millisecond || c.Memory != 256<<20 || c.DeadLetterLimit != (config.Limit{Count: 1000, Per: time.Hour}) {
		t.Errorf("interval %v, memory %v, limit %v", c.BatchInterval, c.Memory, c.DeadLetterLimit)
	}
	if url, err := c.DatabaseURL(); err != nil || url != "postgres://u:hunter2@db/app" {
		t.Errorf("database URL %q, %v", url, err)
	}
}

func TestEmptyIsUnset(t *testing.T) {
	c := load(t, enough("SINKD_LANES=", "SINKD_BATCH_INTERVAL=", "SINKD_NO_SUCH_NAME=", "SINKD_KAFKA_TLS_FILE=")...)
	if c.BatchInterval != 200*time.Millisecond {
		t.Errorf("interval %v", c.BatchInterval)
	}
}

func TestOffTurnsAFeatureOff(t *testing.T) {
	c := load(t, enough("SINKD_HTTP_ADDR=off", "SINKD_DEAD_LETTER_LIMIT=off", "SINKD_KAFKA_TLS=off", "SINKD_KAFKA_SASL_MECHANISM=off",
		"SINKD_SCHEMA_REGISTRY_URL=off", "SINKD_DEAD_LETTER_RETENTION=off", "SINKD_MAX_RATE_PER_PARTITION=off", "SINKD_FOREIGN_KEY_WAIT=off")...)
	if c.MaxRatePerPartition != 0 || c.ForeignKeyWait != 0 || c.HTTPAddr != "" || c.DeadLetterLimit.Count != 0 || c.TLS != nil || c.KafkaSASLMechanism != "" || c.SchemaRegistryURL != "" {
		t.Errorf("still on: %+v", c.Variables)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := config.Load([]string{
		"SINKD_KAFKA_BROKERS=kafka",
		"SINKD_LANES=many",
		"SINKD_BATCH_INTERVAL=5",
		"SINKD_MODE=overwrite",
		"SINKD_PIPELIN=orders",
		"SINKD_DATABASE_URL=mysql://root:hunter2@db/app",
	}, config.Flow)
	if err == nil {
		t.Fatal("nothing was refused")
	}
	want := strings.Join([]string{
		`SINKD_PIPELIN: there is no such variable; did you mean SINKD_PIPELINE? Otherwise unset it`,
		`SINKD_MODE: "overwrite" is not one of its values; write append, upsert or ignore`,
		`SINKD_BATCH_INTERVAL: is not a duration; write it like 200ms, 45s or 1h`,
		`SINKD_LANES: is not a whole number; write it in digits`,
		`SINKD_TOPICS: is required; set it to the topics, for example orders,customers or /orders-.*/`,
		`SINKD_KAFKA_BROKERS: "kafka" is not a broker's address; write host:port, several with commas between, for example kafka:9092`,
		`SINKD_DATABASE_URL: does not begin with postgres://; write postgres://user:password@host:5432/name, special letters in the password as %XX, or host=... user=... dbname=...`,
	}, "\n")
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

// TestProblems gives each variable a value that cannot work.
func TestProblems(t *testing.T) {
	for setting, want := range map[string]string{
		"SINKD_KAFKA_BROKERS=kafka:9092,x":           `"x" is not a broker's address`,
		"SINKD_KAFKA_BROKERS=PLAINTEXT://kafka:9092": "is not a broker's address",
		"SINKD_KAFKA_SESSION_TIMEOUT=1ms":            "1ms is too short; write at least 1s",
		"SINKD_KAFKA_REBALANCE_TIMEOUT=0s":           "too short",
		"SINKD_KAFKA_ISOLATION=committed":            "write read_committed or read_uncommitted",
		"SINKD_KAFKA_TLS=perhaps":                    "neither true nor false",
		"SINKD_KAFKA_TLS_CA=/no/such/file":           "no such file",
		"SINKD_KAFKA_TLS_CERT=/no/such/file":         "SINKD_KAFKA_TLS_KEY: is required",
		"SINKD_KAFKA_TLS_KEY=/no/such/file":          "SINKD_KAFKA_TLS_CERT: is required",
		"SINKD_KAFKA_SASL_MECHANISM=OAUTHBEARER":     `"OAUTHBEARER" is not supported yet; write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512`,
		"SINKD_KAFKA_SASL_MECHANISM=plain":           "write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
		"SINKD_KAFKA_SASL_USERNAME=u":                "is set, but no mechanism is",
		"SINKD_KAFKA_SASL_PASSWORD=hunter2":          "is set, but no mechanism is",
		"SINKD_KAFKA_SASL_TOKEN_URL=https://x":       "not supported yet; unset it",
		"SINKD_KAFKA_SASL_SCOPE=x":                   "not supported yet",
		"SINKD_SCHEMA_REGISTRY_URL=http://x":         "not supported yet",
		"SINKD_SCHEMA_REGISTRY_USERNAME=x":           "not supported yet",
		"SINKD_SCHEMA_REGISTRY_PASSWORD=hunter2":     "not supported yet",
		"SINKD_SCHEMA_REGISTRY_TOKEN=hunter2":        "not supported yet",
		"SINKD_SCHEMA_REGISTRY_TLS_CA=x":             "not supported yet",
		"SINKD_DATABASE_URL=postgres://u:hunter2%@d": "is not a URL",
		"SINKD_DATABASE_URL=hunter2":                 "neither a URL nor a list of settings",
		"SINKD_STATEMENT_TIMEOUT=0s":                 "too short",
		"SINKD_LOCK_TIMEOUT=-1s":                     "too short",
		"SINKD_SCHEMA=pg_sinkd":                      "PostgreSQL's own",
		"SINKD_PIPELINE=Orders":                      `"Orders" is not a name`,
		"SINKD_TOPICS=a b":                           `"a b" is not a topic's name`,
		"SINKD_TOPICS=a,b,a":                         "topic a is named twice",
		"SINKD_TOPICS=/orders":                       "not a regular expression between slashes",
		"SINKD_TOPICS=/(/":                           "not a regular expression; see",
		"SINKD_TOPICS=,":                             "no topic is named",
		"SINKD_TABLE=a.b.c":                          "more than one dot",
		"SINKD_TABLE={topic}.rows":                   "{topic} in the schema's name",
		"SINKD_TABLE={table}":                        "braces that are not {topic}",
		"SINKD_TABLE=sales.":                         "a name is empty",
		`SINKD_TABLE="Orders"`:                       "without quotes",
		"SINKD_TABLE=" + strings.Repeat("t", 64):     "longer than the 63 bytes",
		"SINKD_MODE=merge":                           "write append, upsert or ignore",
		"SINKD_KEY=id":                               "SINKD_KEY: is set, but rows are appended, which takes no key; unset SINKD_KEY, or write SINKD_MODE=upsert or SINKD_MODE=ignore",
		"SINKD_COLUMNS=city":                         `"city" is not a column with its source`,
		"SINKD_COLUMNS=city=a, city=b":               "column city is given twice",
		"SINKD_COLUMNS=city=a..b":                    "is not a source",
		"SINKD_COLUMNS=city=@tpoic":                  "is not a source",
		"SINKD_COLUMNS=city=@headers.":               "is not a source",
		"SINKD_CREATE_TABLE=yes":                     "write auto, always or never",
		"SINKD_UNKNOWN_FIELDS=add":                   "write ignore, dead-letter or add-column",
		"SINKD_DELETES=true":                         "SINKD_DELETES: is true, but only upsert mode deletes; unset SINKD_DELETES, or write SINKD_MODE=upsert",
		"SINKD_DELETED_COLUMN=gone":                  "SINKD_DELETED_COLUMN: is set, but only upsert mode deletes; unset SINKD_DELETED_COLUMN, or write SINKD_MODE=upsert and SINKD_DELETES=soft",
		"SINKD_VERSION_COLUMN=v":                     "SINKD_VERSION_COLUMN: is set, but only upsert mode compares versions",
		"SINKD_DELIVERY=idempotent":                  "SINKD_MODE: is append, but SINKD_DELIVERY=idempotent may write a record again",
		"SINKD_FORMAT=avro":                          "not supported yet; write json, text or bytes",
		"SINKD_KEY_FORMAT=avro":                      "not supported yet; write auto, json or text",
		"SINKD_ENVELOPE=debezium":                    "not supported yet; write none",
		"SINKD_EPOCH_UNIT=minutes":                   "write s, ms, us or ns",
		"SINKD_NUL=keep":                             "write dead-letter or strip",
		"SINKD_TRANSFORM_SQL=x.sql":                  "not supported yet",
		"SINKD_STAGE=id bigint":                      "not supported yet",
		"SINKD_START=yesterday":                      "is not a start; write earliest, latest or a time",
		"SINKD_BATCH_INTERVAL=-1s":                   "too short",
		"SINKD_BATCH_MAX_RECORDS=0":                  "too little; write at least 1",
		"SINKD_BATCH_MAX_BYTES=1GiB":                 "1GiB is too much; write at most 256MiB",
		"SINKD_BATCH_TARGET=0s":                      "too short",
		"SINKD_LANES=0":                              "0 is too little; write at least 1",
		"SINKD_MEMORY=16MiB":                         "16MiB is too little; write at least 32MiB",
		"SINKD_MEMORY=16 megs":                       "is not a size",
		"SINKD_MAX_RECORD_BYTES=1":                   "1 is too little; write at least 1KiB",
		"SINKD_MAX_RATE_PER_PARTITION=0":             "0 is too little; write at least 1",
		"SINKD_MAX_RATE_PER_PARTITION=fast":          "is not a whole number",
		"SINKD_ON_BAD_RECORD=drop":                   "write dead-letter or stop",
		"SINKD_DEAD_LETTER_LIMIT=1000":               "is not a limit; write it like 1000/1h, or off for none",
		"SINKD_DEAD_LETTER_RETENTION=-24h":           "too short",
		"SINKD_ON_DATA_LOSS=ignore":                  "write stop or skip",
		"SINKD_FOREIGN_KEY_WAIT=-1s":                 "too short",
		"SINKD_LEDGER_DETAIL=-1s":                    "too short",
		"SINKD_DRAIN_TIMEOUT=-1s":                    "too short",
		"SINKD_HTTP_ADDR=8080":                       `"8080" is not an address`,
		"SINKD_LOG_LEVEL=loud":                       "write debug, info, warn or error",
		"SINKD_LOG_FORMAT=xml":                       "write text or json",
		"SINKD_KAFKA_GROUPS=x":                       "did you mean SINKD_KAFKA_GROUP?",
		"SINKD_DATABASE_URL_FILE=/x":                 "SINKD_DATABASE_URL_FILE is set too",
		"SINKD_HTTP_TOKEN_FILE=/no/such/file":        "SINKD_HTTP_TOKEN_FILE: cannot be read",
		"SINKD_ROUTES=orders -> t":                   "SINKD_TOPICS: and SINKD_ROUTES are both set",
	} {
		_, err := config.Load(enough(setting), config.Flow)
		switch {
		case err == nil:
			t.Errorf("%s was taken", setting)
		case !strings.Contains(err.Error(), want):
			t.Errorf("%s gave\n%v\nand not %q", setting, err, want)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s shows a secret: %v", setting, err)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("%s gave more than its problem:\n%v", setting, err)
		}
	}
}

func TestNeeds(t *testing.T) {
	for need, lines := range map[config.Need]int{config.Nothing: 0, config.Brokers: 1, config.Database: 1, config.Flow: 3} {
		_, err := config.Load(nil, need)
		if got := strings.Count(errorText(err)+"\n", ";"); got != lines {
			t.Errorf("need %d: %d problems in place of %d: %v", need, got, lines, err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestServiceLinksOfKubernetesAreNotOurs(t *testing.T) {
	load(t, enough("SINKD_SERVICE_HOST=10.0.0.1", "SINKD_PORT=tcp://10.0.0.1:8080", "SINKD_PORT_8080_TCP_ADDR=10.0.0.1",
		"SINKD_METRICS_SERVICE_PORT_HTTP=80", "SINKD_METRICS_PORT_80_TCP=tcp://10.0.0.1:80")...)
}

func TestStart(t *testing.T) {
	if c := load(t, enough("SINKD_START=latest")...); !c.Start.Latest {
		t.Error("latest was not read")
	}
	c := load(t, enough("SINKD_START=2026-01-31T12:00:00+01:00")...)
	if want := time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC); !c.Start.Time.Equal(want) {
		t.Errorf("%v in place of %v", c.Start.Time, want)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]config.Size{"0": 0, "512": 512, "64KiB": 64 << 10, "16MiB": 16 << 20, "2GiB": 2 << 30, "5MB": 5e6, "1 MiB": 1 << 20} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1MiB", "1.5MiB", "9999999999GiB", "1mib", "1TiB"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %d", text, s)
		}
	}
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "url")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("postgres://a@db/app\n")
	c := load(t, "SINKD_KAFKA_BROKERS=kafka:9092", "SINKD_TOPICS=orders", "SINKD_DATABASE_URL_FILE="+path)
	write("postgres://b@db/app\r\n")
	if url, err := c.DatabaseURL(); err != nil || url != "postgres://b@db/app" {
		t.Errorf("a rotated secret was not seen: %q, %v", url, err)
	}
	write("\n")
	_, err := config.Load([]string{"SINKD_DATABASE_URL_FILE=" + path}, config.Database)
	if want := "SINKD_DATABASE_URL_FILE: the file " + path + " is empty; write the value into it, or unset the variable"; errorText(err) != want {
		t.Errorf("an empty file: %v", err)
	}
}
