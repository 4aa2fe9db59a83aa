package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// certificate makes a certificate that signs itself, and its key, as files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	if c := load(t, enough("SINKD_KAFKA_TLS=true")...); c.TLS == nil || c.TLS.RootCAs != nil {
		t.Errorf("TLS=true gave %+v", c.TLS)
	}
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, enough("SINKD_KAFKA_TLS_CA="+cert, "SINKD_KAFKA_TLS_CERT="+cert, "SINKD_KAFKA_TLS_KEY="+string(text), "SINKD_KAFKA_TLS_SERVER_NAME=broker")...)
	if c.TLS == nil || c.TLS.RootCAs == nil || c.TLS.ServerName != "broker" {
		t.Fatalf("a path and PEM text gave %+v", c.TLS)
	}
	if pair, err := c.TLS.GetClientCertificate(nil); err != nil || len(pair.Certificate) != 1 {
		t.Errorf("client certificate: %v, %v", pair, err)
	}
	c = load(t, enough("SINKD_KAFKA_TLS_CA_FILE="+cert)...)
	if c.TLS == nil || c.TLS.RootCAs == nil {
		t.Errorf("a file gave %+v", c.TLS)
	}
}

func TestKafkaProblems(t *testing.T) {
	cert, key := certificate(t)
	for _, test := range []struct {
		want        string
		environment []string
	}{
		{"SINKD_KAFKA_TLS_CA: holds no certificate", []string{"SINKD_KAFKA_TLS_CA=" + key}},
		{"SINKD_KAFKA_TLS_CA: is set, but SINKD_KAFKA_TLS is off", []string{"SINKD_KAFKA_TLS=false", "SINKD_KAFKA_TLS_CA=" + cert}},
		{"SINKD_KAFKA_SASL_PASSWORD: is required", []string{"SINKD_KAFKA_SASL_MECHANISM=PLAIN", "SINKD_KAFKA_SASL_USERNAME=ann"}},
		{"SINKD_KAFKA_SASL_USERNAME: is required", []string{"SINKD_KAFKA_SASL_MECHANISM=PLAIN", "SINKD_KAFKA_SASL_PASSWORD=hunter2"}},
		{"are not a certificate with its key", []string{"SINKD_KAFKA_TLS_CERT=" + key, "SINKD_KAFKA_TLS_KEY=" + cert}},
	} {
		_, err := config.Load(enough(test.environment...), config.Flow)
		if !strings.Contains(errorText(err), test.want) {
			t.Errorf("%v gave %v and not %q", test.environment, err, test.want)
		}
	}
}

func TestSASL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, enough("SINKD_KAFKA_SASL_MECHANISM=SCRAM-SHA-512", "SINKD_KAFKA_SASL_USERNAME=ann", "SINKD_KAFKA_SASL_PASSWORD_FILE="+path)...)
	if err := os.WriteFile(path, []byte("two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if password, err := c.Password(); err != nil || password != "two" {
		t.Errorf("a rotated password was not seen: %q, %v", password, err)
	}
}
