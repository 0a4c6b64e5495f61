package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

//go:embed pom.xml
var kafkaPOM []byte

// KafkaVersion is the version of Apache Kafka that host mode runs.
const KafkaVersion = "4.3.1"

// minJava is the oldest Java that Kafka 4 brokers run on (KIP-750, KIP-1013).
const minJava = 17

// kafkaClasspath is the Java class path of Kafka, downloaded into the cache the first
// time (92 jars, 54 MB).
func kafkaClasspath(ctx context.Context) (string, error) {
	dir, err := cached(ctx, "kafka-"+KafkaVersion, fetchKafka)
	if err != nil {
		return "", fmt.Errorf("no Kafka: %w", err)
	}
	return filepath.Join(dir, "*"), nil
}

func fetchKafka(ctx context.Context, dir string) error {
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("its download needs Maven, and there is no mvn on the PATH (on Debian: apt-get install maven)")
	}
	pom := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pom, kafkaPOM, 0o644); err != nil {
		return err
	}
	err := run(ctx, dir, "mvn", "--batch-mode", "--quiet", "--file", pom,
		"dependency:copy-dependencies", "-DoutputDirectory="+dir)
	if err != nil {
		return fmt.Errorf("mvn could not download it (is Maven Central reached from here?): %w", err)
	}
	return nil
}

// findJava is the java command, which must be new enough for Kafka.
func findJava(ctx context.Context) (string, error) {
	name := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	out, err := exec.CommandContext(ctx, name, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("no Kafka: it needs Java %d or newer (on Debian: apt-get install default-jre-headless): %w", minJava, err)
	}
	major, err := javaMajor(string(out))
	if err != nil {
		return "", fmt.Errorf("no Kafka: %w", err)
	}
	if major < minJava {
		return "", fmt.Errorf("no Kafka: it needs Java %d or newer, and %s is Java %d", minJava, name, major)
	}
	return name, nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)(?:\.(\d+))?`)

// javaMajor reads the output of `java -version`: "17.0.15" is 17, the old "1.8.0_292" is 8.
func javaMajor(out string) (int, error) {
	m := javaVersion.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("the version of Java is not in what `java -version` printed: %q", out)
	}
	major, err := strconv.Atoi(m[1])
	if err == nil && major == 1 && m[2] != "" {
		major, err = strconv.Atoi(m[2])
	}
	return major, err
}
