package config

import "time"

// Variables are the environment variables, one field each, in the order of the
// README's table. The tags say all there is to a variable:
//
//	env         its name
//	envDefault  its default; show is what the table prints for a default that
//	            is computed, or for none
//	doc         what it means
//	oneof       the values that it may have
//	later       the values that are understood and not supported yet; * = any
//	off         "off" gives the field its zero value: the feature is off
//	secret      its value is never shown
type Variables struct {
	KafkaBrokers          List          `env:"SINKD_KAFKA_BROKERS" show:"required" doc:"brokers to start from: 'host:port,...'"`
	KafkaGroup            string        `env:"SINKD_KAFKA_GROUP" show:"'sinkd-<pipeline>'" doc:"consumer group; it shares partitions among replicas"`
	KafkaClientID         string        `env:"SINKD_KAFKA_CLIENT_ID" envDefault:"sinkd" doc:"client id, as broker logs and quotas see it"`
	KafkaInstanceID       string        `env:"SINKD_KAFKA_INSTANCE_ID" doc:"static membership: a name of this replica alone, which it has again after a restart; its partitions wait for it until the session timeout, after a clean end as well"`
	KafkaRack             string        `env:"SINKD_KAFKA_RACK" doc:"read from the nearest replica"`
	KafkaSessionTimeout   time.Duration `env:"SINKD_KAFKA_SESSION_TIMEOUT" envDefault:"45s" doc:"a replica that is silent for so long loses its partitions"`
	KafkaRebalanceTimeout time.Duration `env:"SINKD_KAFKA_REBALANCE_TIMEOUT" envDefault:"60s" doc:"time for all replicas to join a rebalance"`
	KafkaIsolation        string        `env:"SINKD_KAFKA_ISOLATION" envDefault:"read_committed" oneof:"read_committed read_uncommitted" doc:"whether records of open and aborted transactions are read"`

	KafkaTLS           bool   `env:"SINKD_KAFKA_TLS" off:"true" show:"off" doc:"'true' = TLS with the system's roots; any variable of the next four turns it on as well"`
	KafkaTLSCA         string `env:"SINKD_KAFKA_TLS_CA" doc:"roots to trust in place of the system's: a path, or PEM text"`
	KafkaTLSCert       string `env:"SINKD_KAFKA_TLS_CERT" doc:"client certificate: a path, or PEM text"`
	KafkaTLSKey        string `env:"SINKD_KAFKA_TLS_KEY" secret:"true" doc:"key of the client certificate: a path, or PEM text"`
	KafkaTLSServerName string `env:"SINKD_KAFKA_TLS_SERVER_NAME" doc:"name to expect in the brokers' certificates"`

	KafkaSASLMechanism string `env:"SINKD_KAFKA_SASL_MECHANISM" off:"true" show:"off" oneof:"PLAIN SCRAM-SHA-256 SCRAM-SHA-512 OAUTHBEARER" later:"OAUTHBEARER" doc:"how to log in to Kafka"`
	KafkaSASLUsername  string `env:"SINKD_KAFKA_SASL_USERNAME" doc:"user to log in as"`
	KafkaSASLPassword  string `env:"SINKD_KAFKA_SASL_PASSWORD" secret:"true" doc:"password; a '_FILE' is read again at each connect"`
	KafkaSASLTokenURL  string `env:"SINKD_KAFKA_SASL_TOKEN_URL" later:"*" doc:"where 'OAUTHBEARER' gets its token (client credentials)"`
	KafkaSASLScope     string `env:"SINKD_KAFKA_SASL_SCOPE" later:"*" doc:"scope to ask the token for"`

	SchemaRegistryURL      string `env:"SINKD_SCHEMA_REGISTRY_URL" later:"*" off:"true" doc:"schema registry for Avro, Protobuf and JSON Schema"`
	SchemaRegistryUsername string `env:"SINKD_SCHEMA_REGISTRY_USERNAME" later:"*" doc:"user of the schema registry"`
	SchemaRegistryPassword string `env:"SINKD_SCHEMA_REGISTRY_PASSWORD" later:"*" secret:"true" doc:"password of the schema registry"`
	SchemaRegistryToken    string `env:"SINKD_SCHEMA_REGISTRY_TOKEN" later:"*" secret:"true" doc:"bearer token of the schema registry"`
	SchemaRegistryTLSCA    string `env:"SINKD_SCHEMA_REGISTRY_TLS_CA" later:"*" doc:"roots to trust for the schema registry"`

	DatabaseURL      string        `env:"SINKD_DATABASE_URL" secret:"true" show:"required" doc:"PostgreSQL: a libpq URL or DSN, several hosts allowed; a '_FILE' is read again at each connect"`
	StatementTimeout time.Duration `env:"SINKD_STATEMENT_TIMEOUT" envDefault:"60s" doc:"longest statement"`
	LockTimeout      time.Duration `env:"SINKD_LOCK_TIMEOUT" envDefault:"15s" doc:"longest wait for a lock"`
	Schema           string        `env:"SINKD_SCHEMA" envDefault:"sinkd" doc:"schema of the bookkeeping tables"`

	Pipeline      string `env:"SINKD_PIPELINE" envDefault:"default" doc:"name of this flow; all bookkeeping is kept under it"`
	Topics        string `env:"SINKD_TOPICS" show:"required, or routes" doc:"'a,b' or '/regex/' (the whole name must match)"`
	Table         string `env:"SINKD_TABLE" envDefault:"{topic}" doc:"'table' or 'schema.table', taken as written; only a literal dot separates, so '{topic}' is one identifier; no schema = 'public'; at most 63 bytes"`
	Mode          string `env:"SINKD_MODE" envDefault:"append" oneof:"append upsert ignore" doc:"how rows enter the table; 'ignore' = insert, on conflict do nothing"`
	Key           string `env:"SINKD_KEY" show:"the table's primary key" doc:"key columns of 'upsert' and 'ignore': 'order_id,region'"`
	Columns       string `env:"SINKD_COLUMNS" show:"by name" doc:"where a column's value comes from, if not from the field of its name: 'city=address.city, seen_at=@timestamp'; sources are '@topic @partition @offset @timestamp @key @value @headers.x'"`
	Routes        string `env:"SINKD_ROUTES" doc:"routes in place of the five variables above, one a line or separated by ';', the first that takes a topic wins: 'orders -> sales.orders upsert(order_id)'; see below"`
	CreateTable   string `env:"SINKD_CREATE_TABLE" envDefault:"auto" oneof:"auto always never" doc:"'auto' creates a missing table only where its name came from '{topic}'"`
	UnknownFields string `env:"SINKD_UNKNOWN_FIELDS" envDefault:"ignore" oneof:"ignore dead-letter add-column" doc:"what a field without a column gets"`
	Deletes       string `env:"SINKD_DELETES" oneof:"true soft false" show:"'true' in upsert mode" doc:"tombstones and delete events remove the row; 'soft' sets a column, 'false' ignores them"`
	DeletedColumn string `env:"SINKD_DELETED_COLUMN" doc:"the column that 'soft' sets (boolean or timestamptz)"`
	VersionColumn string `env:"SINKD_VERSION_COLUMN" doc:"an upsert only applies when its version is not older"`
	Delivery      string `env:"SINKD_DELIVERY" envDefault:"exactly-once" oneof:"exactly-once idempotent" doc:"the guarantee; 'idempotent' keeps no tables, see docs/modes.md"`
	Format        string `env:"SINKD_FORMAT" envDefault:"json" oneof:"json avro protobuf jsonschema text bytes" later:"avro protobuf jsonschema" doc:"serialization of the values"`
	KeyFormat     string `env:"SINKD_KEY_FORMAT" envDefault:"auto" oneof:"auto json avro protobuf jsonschema text bytes" later:"avro protobuf jsonschema bytes" doc:"serialization of the keys"`
	Envelope      string `env:"SINKD_ENVELOPE" envDefault:"none" oneof:"none debezium connect" later:"debezium connect" doc:"what the values are wrapped in"`
	EpochUnit     string `env:"SINKD_EPOCH_UNIT" envDefault:"ms" oneof:"s ms us ns" doc:"unit of numbers that go into time columns"`
	NUL           string `env:"SINKD_NUL" envDefault:"dead-letter" oneof:"dead-letter strip" doc:"what a NUL character in text gets"`
	TransformSQL  string `env:"SINKD_TRANSFORM_SQL" later:"*" off:"true" doc:"a file of SQL that runs in the batch's transaction"`
	Stage         string `env:"SINKD_STAGE" later:"*" doc:"typed columns of the transform's stage: 'id bigint, ts timestamptz'"`

	Start               Start         `env:"SINKD_START" envDefault:"earliest" doc:"where a topic begins that was never read: 'earliest', 'latest' or an RFC 3339 time"`
	BatchInterval       time.Duration `env:"SINKD_BATCH_INTERVAL" envDefault:"200ms" doc:"least time between two commits of a lane that are not full; the first record after a quiet time commits at once"`
	BatchMaxRecords     int           `env:"SINKD_BATCH_MAX_RECORDS" envDefault:"50000" doc:"most records of a batch"`
	BatchMaxBytes       Size          `env:"SINKD_BATCH_MAX_BYTES" envDefault:"16MiB" doc:"most bytes of a batch"`
	BatchTarget         time.Duration `env:"SINKD_BATCH_TARGET" envDefault:"1s" doc:"commit time that the batch size follows"`
	Lanes               int           `env:"SINKD_LANES" show:"min(4, CPUs)" doc:"parallel writers, a database session each"`
	Memory              Size          `env:"SINKD_MEMORY" envDefault:"256MiB" doc:"budget for records in flight"`
	MaxRecordBytes      Size          `env:"SINKD_MAX_RECORD_BYTES" envDefault:"8MiB" doc:"a larger record is a dead letter"`
	MaxRatePerPartition int           `env:"SINKD_MAX_RATE_PER_PARTITION" off:"true" show:"none" doc:"most records a second that a partition lands, on average; up to one second's worth at once"`

	OnBadRecord         string        `env:"SINKD_ON_BAD_RECORD" envDefault:"dead-letter" show:"'dead-letter'; 'stop' in idempotent delivery" oneof:"dead-letter stop" doc:"what a record gets that can never be written"`
	DeadLetterLimit     Limit         `env:"SINKD_DEAD_LETTER_LIMIT" envDefault:"1000/1h" off:"true" doc:"dead letters that a pipeline may make in that time before it pauses with an incident"`
	DeadLetterRetention time.Duration `env:"SINKD_DEAD_LETTER_RETENTION" off:"true" show:"none" doc:"dead letters that failed longer ago are deleted"`
	OnDataLoss          string        `env:"SINKD_ON_DATA_LOSS" envDefault:"stop" oneof:"stop skip" doc:"what a partition gets whose records are gone in Kafka: an incident and a halt, or a 'skip' in the ledger"`
	ForeignKeyWait      time.Duration `env:"SINKD_FOREIGN_KEY_WAIT" envDefault:"30s" off:"true" doc:"how long a missing parent row is waited for before its record is bad data; the partition waits, the others go on"`
	LedgerDetail        time.Duration `env:"SINKD_LEDGER_DETAIL" envDefault:"1h" off:"true" doc:"older ranges of the ledger are merged per partition and hour, counts summed"`
	DrainTimeout        time.Duration `env:"SINKD_DRAIN_TIMEOUT" envDefault:"30s" doc:"the first SIGTERM drains for so long, the second stops at once"`

	HTTPAddr  string `env:"SINKD_HTTP_ADDR" envDefault:"127.0.0.1:8080" off:"true" doc:"address of probes, metrics and status; 'off' = none"`
	HTTPToken string `env:"SINKD_HTTP_TOKEN" secret:"true" doc:"bearer token for all but the probes"`
	LogLevel  string `env:"SINKD_LOG_LEVEL" envDefault:"info" oneof:"debug info warn error" doc:"least level that is logged"`
	LogFormat string `env:"SINKD_LOG_FORMAT" oneof:"text json" show:"'text' on a terminal, else 'json'" doc:"form of the log lines"`
}
