//go:build integration

package kafkaio_test

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

// TestConsumerIsKilled: a consumer is killed twice and started again. Nothing is lost, and
// of each partition at most the batch under way is done twice. It takes the group 10 s to
// notice that a member is dead.
func TestConsumerIsKilled(t *testing.T) {
	const kills, each = 2, 1000
	onEachBroker(t, func(t *testing.T, k kind) {
		t.Parallel()
		addr := k.shared(t)
		topic := newTopic(t, addr, 3)
		file := t.TempDir() + "/done"
		for kill := range kills {
			produce(t, addr, topic, kill*each, each)
			before := readJournal(t, file).done()
			cmd, _ := startRole(t, "consumer", addr, topic, file)
			eventually(t, func() error {
				if got := readJournal(t, file).done(); got < before+200 {
					return fmt.Errorf("%d records done, %d before", got, before)
				}
				return nil
			})
			cmd.Process.Kill()
			cmd.Wait()
		}
		n := kills * each
		cmd, _ := startRole(t, "consumer", addr, topic, file)
		defer func() {
			cmd.Process.Kill()
			cmd.Wait()
		}()
		eventually(t, func() error {
			if got := readJournal(t, file).done(); got < n {
				return fmt.Errorf("%d of %d records are done", got, n)
			}
			return nil
		})
		t.Logf("%d records, %d of them done twice", n, readJournal(t, file).atLeastOnce(t, crashRecords*kills))
	})
}

// readJournal reads what playConsumer has written.
func readJournal(t *testing.T, file string) *journal {
	t.Helper()
	j := newJournal()
	f, err := os.Open(file)
	if os.IsNotExist(err) {
		return j
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var p kafkaio.Partition
		var offset int64
		var id string
		if _, err := fmt.Sscan(lines.Text(), &p.Number, &offset, &id); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		j.seen[p] = append(j.seen[p], offset)
		j.ids[id]++
	}
	return j
}
