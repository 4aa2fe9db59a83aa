package config

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
)

// tls gives how to talk to the brokers, nil for plain text.
func (c *Config) tls(p *Problems) *tls.Config {
	on := c.KafkaTLS
	for _, name := range []string{"SINKD_KAFKA_TLS_CA", "SINKD_KAFKA_TLS_CERT", "SINKD_KAFKA_TLS_KEY", "SINKD_KAFKA_TLS_SERVER_NAME"} {
		if !c.Set(name) {
			continue
		}
		if c.Set("SINKD_KAFKA_TLS") && !c.KafkaTLS && !p.about("SINKD_KAFKA_TLS") {
			p.add(name, "unset it, or set SINKD_KAFKA_TLS=true", "is set, but SINKD_KAFKA_TLS is off")
		}
		on = true
	}
	if !on {
		return nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.KafkaTLSServerName}
	c.roots(t, p)
	c.certificate(t, p)
	return t
}

// roots trusts SINKD_KAFKA_TLS_CA.
func (c *Config) roots(t *tls.Config, p *Problems) {
	if c.KafkaTLSCA == "" {
		return
	}
	const fix = "give it certificates in PEM, or the path of a file that holds them"
	text, err := pem(c.KafkaTLSCA)
	if err != nil {
		p.add("SINKD_KAFKA_TLS_CA", fix, "cannot be read: %s", err)
		return
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(text) {
		p.add("SINKD_KAFKA_TLS_CA", fix, "holds no certificate")
	}
}

// certificate presents SINKD_KAFKA_TLS_CERT, read again at each handshake, so
// that a renewed one is taken up.
func (c *Config) certificate(t *tls.Config, p *Problems) {
	switch {
	case c.KafkaTLSCert == "" && c.KafkaTLSKey == "":
		return
	case c.KafkaTLSKey == "":
		p.missing("SINKD_KAFKA_TLS_KEY", "set it to the key of SINKD_KAFKA_TLS_CERT")
		return
	case c.KafkaTLSCert == "":
		p.missing("SINKD_KAFKA_TLS_CERT", "set it to the certificate of SINKD_KAFKA_TLS_KEY")
		return
	}
	cert, key := c.environ.source("SINKD_KAFKA_TLS_CERT"), c.environ.source("SINKD_KAFKA_TLS_KEY")
	if _, err := pair(cert, key); err != nil {
		p.add("SINKD_KAFKA_TLS_CERT", "give both as PEM, or as paths of files that sinkd may read", "and SINKD_KAFKA_TLS_KEY are not a certificate with its key")
		return
	}
	t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair(cert, key) }
}

func pair(cert, key func() (string, error)) (*tls.Certificate, error) {
	var texts [2][]byte
	for i, source := range []func() (string, error){cert, key} {
		value, err := source()
		if err != nil {
			return nil, err
		}
		if texts[i], err = pem(value); err != nil {
			return nil, err
		}
	}
	both, err := tls.X509KeyPair(texts[0], texts[1])
	return &both, err
}

// pem gives the PEM text of a value that is one, or the path of one.
func pem(value string) ([]byte, error) {
	if strings.Contains(value, "-----BEGIN ") {
		return []byte(value), nil
	}
	return os.ReadFile(value)
}

// sasl reports what a login lacks.
func (c *Config) sasl(p *Problems) {
	if c.KafkaSASLMechanism != "" {
		if c.KafkaSASLUsername == "" {
			p.missing("SINKD_KAFKA_SASL_USERNAME", "set it, or unset SINKD_KAFKA_SASL_MECHANISM")
		}
		if c.KafkaSASLPassword == "" {
			p.missing("SINKD_KAFKA_SASL_PASSWORD", "set it or SINKD_KAFKA_SASL_PASSWORD_FILE, or unset SINKD_KAFKA_SASL_MECHANISM")
		}
		return
	}
	if p.about("SINKD_KAFKA_SASL_MECHANISM") || c.environ.off["SINKD_KAFKA_SASL_MECHANISM"] {
		return
	}
	for _, name := range []string{"SINKD_KAFKA_SASL_USERNAME", "SINKD_KAFKA_SASL_PASSWORD"} {
		if c.Set(name) {
			p.add(name, "set SINKD_KAFKA_SASL_MECHANISM to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", "is set, but no mechanism is")
		}
	}
}
