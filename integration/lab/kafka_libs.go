package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// kafkaVersion is the release that is resolved through Maven.
const kafkaVersion = "4.3.0"

// pom asks Maven for the broker with all that it needs, and for the plainest
// way to get its log.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>sinkd</groupId><artifactId>lab</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%[1]s</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-server</artifactId><version>%[1]s</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies>
</project>
`

// kafkaLibs gives the Java program, and the directory of Kafka's jars, from
// the cache or fetched into it.
func kafkaLibs() (java, dir string, err error) {
	if java, err = exec.LookPath("java"); err != nil {
		return "", "", Missing{Part: "Java", Fix: "apt-get install default-jre-headless", Cause: err}
	}
	dir, err = cached("kafka-"+kafkaVersion, fetchKafka)
	return java, dir, err
}

func fetchKafka(dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return Missing{Part: "Maven", Fix: "apt-get install maven", Cause: err}
	}
	name := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(name, fmt.Appendf(nil, pom, kafkaVersion), 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "--file", name,
		"dependency:copy-dependencies", "-DoutputDirectory="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return Missing{
			Part: "Apache Kafka " + kafkaVersion, Fix: "a network in which mvn reaches a Maven repository",
			Cause: fmt.Errorf("%w:\n%s", err, tail(out)),
		}
	}
	return nil
}
