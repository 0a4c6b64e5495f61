package kafkaio_test

import "os"

func playConsumer(addr, topic, file string) { os.Exit(1) }
