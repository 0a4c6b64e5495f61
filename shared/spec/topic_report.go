package spec

// TopicReport says how the topic that ingest reads is, and what differs from its settings:
// what the function monitor answers, and `millrace topic --json`.
type TopicReport struct {
	Topic   string `json:"topic"`
	Exists  bool   `json:"exists"`
	Created bool   `json:"created"` // by this request
	// Is how the topic is, nil where there is none; Settings, how its settings want it.
	Is       *TopicState `json:"is"`
	Settings TopicState  `json:"settings"`
	// Differences, where the topic exists: nothing changes them by itself.
	Differences []TopicDifference `json:"differences"`
	// Unread says why the brokers did not tell the topic's configuration; "" where they did.
	Unread string `json:"unread,omitempty"`
	// Create is the command that makes the topic without Millrace; "" where it exists.
	Create string `json:"create,omitempty"`
}

// TopicState is what is known of a topic, or wanted of it. Nil is what the brokers do not
// tell, or what is left to them.
type TopicState struct {
	Partitions  *int64 `json:"partitions"`
	Replication *int64 `json:"replication_factor"` // the least of its partitions'
	MinInsync   *int64 `json:"min_insync_replicas"`
	RetentionMS *int64 `json:"retention_ms"` // -1: without limit
}

// TopicDifference is a setting that a topic does not have.
type TopicDifference struct {
	Setting string `json:"setting"` // its key in DeploymentTable
	Is      int64  `json:"is"`
	Wanted  int64  `json:"wanted"`
	Command string `json:"command,omitempty"` // that changes the topic; "" where none does
	Note    string `json:"note,omitempty"`    // what to know first
}

// State is the settings as a state: what is left to the brokers is nil.
func (s TopicSettings) State() TopicState {
	given := func(n int64) *int64 {
		if n == 0 {
			return nil
		}
		return &n
	}
	return TopicState{given(int64(s.Partitions)), given(int64(s.Replication)), given(int64(s.MinInsync)), given(s.Retention.Milliseconds())}
}

// Differences of a topic from the settings, in the order of TopicState's fields. What is
// left to the brokers, or not known, is none.
func (s TopicSettings) Differences(topic string, is *TopicState, tools KafkaTools) []TopicDifference {
	wanted := s.State()
	diffs := []TopicDifference{}
	add := func(setting string, is, wanted *int64, command, note string) {
		if is != nil && wanted != nil && *is != *wanted {
			diffs = append(diffs, TopicDifference{setting, *is, *wanted, command, note})
		}
	}
	command, note := tools.AddPartitions(topic, s.Partitions),
		"keys move to other partitions, so that a newer event of a key can overtake one that still waits: do it while the consumer lag is 0"
	if is.Partitions != nil && *is.Partitions > int64(s.Partitions) {
		command, note = "", "Kafka takes no partition away: change the setting instead"
	}
	add("kafkaPartitions", is.Partitions, wanted.Partitions, command, note)
	add("kafkaReplication", is.Replication, wanted.Replication, "",
		"kafka-reassign-partitions.sh gives each partition a new list of brokers; on MSK Serverless and Express it is always 3: change the setting instead")
	configs := s.Configs()
	add("kafkaMinInsync", is.MinInsync, wanted.MinInsync, tools.Configure(topic, TopicMinInsync, configs[TopicMinInsync]), "")
	add("kafkaRetention", is.RetentionMS, wanted.RetentionMS, tools.Configure(topic, TopicRetention, configs[TopicRetention]), s.shortens(is))
	return diffs
}

// shortens says what a change of the retention would delete.
func (s TopicSettings) shortens(is *TopicState) string {
	if is.RetentionMS != nil && (*is.RetentionMS < 0 || *is.RetentionMS > s.Retention.Milliseconds()) {
		return "the brokers then delete records older than " + FormatAge(s.Retention) + ", whether they were read or not"
	}
	return ""
}
