package config

import (
	"net/url"
	"regexp"
	"strings"
)

// database reports a URL that does not parse, without a word of it.
func (c *Config) database(p *Problems) {
	text := c.Variables.DatabaseURL
	if text == "" || p.about("SINKD_DATABASE_URL") {
		return
	}
	const name, fix = "SINKD_DATABASE_URL", "write postgres://user:password@host:5432/name, special letters in the password as %XX, or host=... user=... dbname=..."
	switch scheme, _, isURL := strings.Cut(text, "://"); {
	case isURL && scheme != "postgres" && scheme != "postgresql":
		p.add(name, fix, "does not begin with postgres://")
	case isURL:
		if _, err := url.Parse(text); err != nil {
			p.add(name, fix, "is not a URL")
		}
	case !setting().MatchString(text):
		p.add(name, fix, "is neither a URL nor a list of settings")
	}
}

// setting is one key = value of a DSN.
func setting() *regexp.Regexp {
	return regexp.MustCompile(`(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']+)`)
}

// redact gives a database URL or DSN without what is secret in it.
func redact(text string) string {
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		return strings.Join(redactAll(setting().FindAllString(text, -1)), " ")
	}
	// Up to the last @ all may belong to a password that was not escaped.
	user := ""
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, _, _ = strings.Cut(rest[:at], ":")
		user += ":***@"
		rest = rest[at+1:]
	}
	rest, query, _ := strings.Cut(rest, "?")
	if query != "" {
		rest += "?" + strings.Join(redactAll(strings.Split(query, "&")), "&")
	}
	return scheme + "://" + user + rest
}

// redactAll hides the values of all settings but those that are known to hold
// no secret.
func redactAll(settings []string) []string {
	shown := make([]string, len(settings))
	for i, one := range settings {
		key, _, _ := strings.Cut(one, "=")
		switch strings.TrimSpace(key) {
		case "host", "hostaddr", "port", "user", "dbname", "sslmode", "target_session_attrs", "connect_timeout", "application_name":
			shown[i] = one
		default:
			shown[i] = strings.TrimSpace(key) + "=***"
		}
	}
	return shown
}
