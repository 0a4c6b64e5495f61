package host

import (
	"fmt"
	"slices"
	"strings"
)

// Listener names in server.properties.
const (
	listenPlain      = "PLAINTEXT"
	listenController = "CONTROLLER"
	listenSecure     = "SECURE"
)

// serverProperties writes a broker's configuration for one node that is broker and
// controller. ports are of the plain, the controller and, if there is a third, the TLS
// listener.
func serverProperties(dir string, ports []int) string {
	secure := len(ports) > 2
	var b strings.Builder
	set := func(key, value string) { fmt.Fprintf(&b, "%s=%s\n", key, value) }
	names := []string{listenPlain, listenController}
	protocols := []string{listenPlain + ":PLAINTEXT", listenController + ":PLAINTEXT"}
	if secure {
		names = append(names, listenSecure)
		protocols = append(protocols, listenSecure+":SASL_SSL")
	}
	var listeners, advertised []string
	for i, name := range names {
		listeners = append(listeners, name+"://"+loopback(ports[i]))
	}
	advertised = slices.DeleteFunc(slices.Clone(listeners), func(l string) bool {
		return strings.HasPrefix(l, listenController)
	})

	set("process.roles", "broker,controller")
	set("node.id", "1")
	set("controller.quorum.bootstrap.servers", loopback(ports[1]))
	set("controller.listener.names", listenController)
	set("inter.broker.listener.name", listenPlain)
	set("listeners", strings.Join(listeners, ","))
	set("advertised.listeners", strings.Join(advertised, ","))
	set("listener.security.protocol.map", strings.Join(protocols, ","))
	set("log.dirs", dir+"/data")

	// One node holds the only replica.
	set("offsets.topic.replication.factor", "1")
	set("transaction.state.log.replication.factor", "1")
	set("transaction.state.log.min.isr", "1")
	set("share.coordinator.state.topic.replication.factor", "1")
	set("share.coordinator.state.topic.min.isr", "1")

	// A mistyped topic must fail in tests as it does in production.
	set("auto.create.topics.enable", "false")
	set("group.initial.rebalance.delay.ms", "0")
	// After kill -9 the controller refuses the new broker until the old one's session ends.
	set("broker.session.timeout.ms", "3000")
	set("broker.heartbeat.interval.ms", "500")
	// Small: 50 partitions of it are files to open and recover at every start.
	set("offsets.topic.num.partitions", "4")
	set("transaction.state.log.num.partitions", "4")
	set("log.cleaner.dedupe.buffer.size", "8388608") // the default takes 128 MB of the heap

	if secure {
		listener := "listener.name." + strings.ToLower(listenSecure) + "."
		set(listener+"ssl.keystore.type", "PEM")
		set(listener+"ssl.keystore.location", dir+"/"+serverPEM)
		set(listener+"sasl.enabled.mechanisms", "SCRAM-SHA-512,SCRAM-SHA-256")
		for _, mechanism := range []string{"scram-sha-512", "scram-sha-256"} {
			set(listener+mechanism+".sasl.jaas.config", "org.apache.kafka.common.security.scram.ScramLoginModule required;")
		}
	}
	return b.String()
}
