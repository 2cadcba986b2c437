// The sarama suite: its producers (plain and idempotent), partition consumers and cluster admin.
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"tidegate/clients/suite"
)

var admin sarama.ClusterAdmin

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0 // its default profile: the versions most of its users send
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Retry.Max = 100
	c.Producer.Retry.Backoff = 200 * time.Millisecond
	c.Metadata.Retry.Max = 100
	c.Metadata.Retry.Backoff = 200 * time.Millisecond
	c.Consumer.Return.Errors = true
	return c
}

func idempotent() *sarama.Config {
	c := config()
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	return c
}

func create(prefix string, partitions int32) string {
	name := suite.TopicName(prefix)
	suite.Check(admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions,
		ReplicationFactor: 1}, false), "create "+name)
	return name
}

func produce(bootstrap string, c *sarama.Config, messages ...*sarama.ProducerMessage) {
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, c)
	suite.Check(err, "producer")
	defer producer.Close()
	suite.Check(producer.SendMessages(messages), "send")
}

func numbered(topic string, partition int32, n int) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Partition: partition,
		Value: sarama.ByteEncoder(suite.Numbered(partition, n))}
}

// read wants exactly count records of the partition, then none for a while.
func read(topic string, partition int32, count int) []*sarama.ConsumerMessage {
	consumer, err := sarama.NewConsumer([]string{suite.Bootstrap}, config())
	suite.Check(err, "consumer")
	defer consumer.Close()
	part, err := consumer.ConsumePartition(topic, partition, 0)
	suite.Check(err, "consume")
	defer part.Close()
	var got []*sarama.ConsumerMessage
	limit := time.After(suite.Wait)
	for len(got) < count {
		select {
		case m := <-part.Messages():
			got = append(got, m)
		case err := <-part.Errors():
			suite.Check(err, "consume")
		case <-limit:
			suite.Failf("read only %d of %d", len(got), count)
		}
	}
	select {
	case m := <-part.Messages():
		suite.Failf("a record after the last: offset %d", m.Offset)
	case <-time.After(300 * time.Millisecond):
	}
	return got
}

func readNumbered(topic string, partition int32, count int) {
	var values [][]byte
	for _, m := range read(topic, partition, count) {
		values = append(values, m.Value)
	}
	suite.CheckNumbered(partition, values, count)
}

func encoder(b []byte) sarama.Encoder {
	if b == nil {
		return nil
	}
	return sarama.ByteEncoder(b)
}

func roundTrip() {
	topic := create("sarama-rt", 2)
	records := suite.RoundTrip()
	var messages []*sarama.ProducerMessage
	for _, r := range records {
		m := &sarama.ProducerMessage{Topic: topic, Partition: 1, Key: encoder(r.Key),
			Value: encoder(r.Value), Timestamp: time.UnixMilli(r.TimeMs)}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		messages = append(messages, m)
	}
	produce(suite.Bootstrap, config(), messages...)
	for n, m := range read(topic, 1, len(records)) {
		want := records[n]
		suite.SameBytes(m.Key, want.Key, fmt.Sprintf("key %d", n))
		suite.SameBytes(m.Value, want.Value, fmt.Sprintf("value %d", n))
		suite.Equal(m.Timestamp.UnixMilli(), want.TimeMs, "timestamp")
		suite.Equal(m.Offset, int64(n), "offset")
		suite.Equal(len(m.Headers), len(want.Headers), "headers")
		for i, h := range m.Headers {
			suite.Equal(string(h.Key), want.Headers[i].Key, "header key")
			suite.Equal(string(h.Value), string(want.Headers[i].Value), "header "+string(h.Key))
		}
	}
}

func codecs() {
	for name, codec := range map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4,
		"zstd": sarama.CompressionZSTD} {
		topic := create("sarama-"+name, 1)
		c := config()
		c.Producer.Compression = codec
		var messages []*sarama.ProducerMessage
		for n := 0; n < 500; n++ {
			messages = append(messages, numbered(topic, 0, n))
		}
		produce(suite.Bootstrap, c, messages...)
		readNumbered(topic, 0, 500)
	}
}

func largeRecords() {
	topic := create("sarama-large", 1)
	value := suite.RandomBytes(suite.LargeBytes)
	for range 2 {
		produce(suite.Bootstrap, config(), &sarama.ProducerMessage{Topic: topic,
			Value: sarama.ByteEncoder(value)})
	}
	for _, m := range read(topic, 0, 2) {
		suite.SameBytes(m.Value, value, "900 KB value")
	}
}

func tooLarge() {
	topic := create("sarama-too-large", 1)
	c := config()
	c.Producer.MaxMessageBytes = 8 << 20
	producer, err := sarama.NewSyncProducer([]string{suite.Bootstrap}, c)
	suite.Check(err, "producer")
	defer producer.Close()
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: topic,
		Value: sarama.ByteEncoder(make([]byte, suite.TooLargeBytes))})
	if !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		suite.Failf("wanted the size error, got %v", err)
	}
}

func offsetsByTime() {
	topic := create("sarama-time", 1)
	var messages []*sarama.ProducerMessage
	for n := 0; n < 50; n++ {
		m := numbered(topic, 0, n)
		m.Timestamp = time.UnixMilli(suite.BaseMs + int64(n)*1000)
		messages = append(messages, m)
	}
	produce(suite.Bootstrap, config(), messages...)
	client, err := sarama.NewClient([]string{suite.Bootstrap}, config())
	suite.Check(err, "client")
	defer client.Close()
	for _, ask := range []struct{ time, want int64 }{{sarama.OffsetOldest, 0},
		{sarama.OffsetNewest, 50}, {suite.BaseMs + 20_500, 21}, {suite.BaseMs + 99_000, -1}} {
		got, err := client.GetOffset(topic, 0, ask.time)
		suite.Check(err, "offset")
		suite.Equal(got, ask.want, fmt.Sprintf("offset for %d", ask.time))
	}
}

func topicAdmin() {
	name := create("sarama-admin", 2)
	err := admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	if !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		suite.Failf("create twice: %v", err)
	}
	value := "7200000"
	suite.Check(admin.IncrementalAlterConfig(sarama.TopicResource, name,
		map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {
			Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}, false), "alter")
	suite.Eventually(func() error {
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource,
			Name: name, ConfigNames: []string{"retention.ms"}})
		return suite.Wanted(len(entries) == 1 && entries[0].Value == value, entries, err)
	}, "retention.ms")
	suite.CheckGrowth(admin.CreatePartitions(name, 5, nil, false), sarama.ErrInvalidPartitions)
	suite.Eventually(func() error {
		found, err := admin.DescribeTopics([]string{name})
		return suite.Wanted(len(found) == 1 && len(found[0].Partitions) == suite.Grown(2, 5), found, err)
	}, "partitions")
	suite.Check(admin.DeleteTopic(name), "delete")
	suite.Eventually(func() error {
		topics, err := admin.ListTopics()
		_, there := topics[name]
		return suite.Wanted(!there, "the topic", err)
	}, "deletion")
}

func manyInOrder() {
	topic := create("sarama-many", 4)
	c := config()
	c.Producer.Flush.MaxMessages = 200
	c.Net.MaxOpenRequests = 1
	var messages []*sarama.ProducerMessage
	for n := 0; n < 10_000; n++ {
		messages = append(messages, numbered(topic, int32(n%4), n/4))
	}
	produce(suite.Bootstrap, c, messages...)
	for p := int32(0); p < 4; p++ {
		readNumbered(topic, p, 2500)
	}
}

func idempotentRetry() {
	topic := create("sarama-retry", 1)
	before := suite.Dropped()
	suite.Control("drop 0 2")
	c := idempotent()
	c.Producer.Flush.MaxMessages = 50
	var messages []*sarama.ProducerMessage
	for n := 0; n < 500; n++ {
		messages = append(messages, numbered(topic, 0, n))
	}
	produce(suite.Proxied, c, messages...)
	suite.Equal(suite.Dropped()-before, 2, "answers lost by the proxy")
	readNumbered(topic, 0, 500)
}

// twoHundredConnections: so many producers at the same time, two turns of one record each.
func twoHundredConnections() {
	topic := create("sarama-200", 2)
	producers := make([]sarama.SyncProducer, 200)
	for n := range producers {
		c := config()
		c.Producer.Partitioner = sarama.NewManualPartitioner
		producer, err := sarama.NewSyncProducer([]string{suite.Bootstrap}, c)
		suite.Check(err, "producer")
		defer producer.Close()
		producers[n] = producer
	}
	for turn := int32(0); turn < 2; turn++ {
		sent := make(chan error, len(producers))
		for _, producer := range producers {
			go func() {
				_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: turn,
					Value: sarama.StringEncoder("v")})
				sent <- err
			}()
		}
		for range producers {
			suite.Check(<-sent, "send")
		}
	}
	suite.Equal(len(read(topic, 0, 200)), 200, "partition 0")
	suite.Equal(len(read(topic, 1, 200)), 200, "partition 1")
}

func restart(command string) {
	suite.NeedDurable()
	topic := create("sarama-"+command, 1)
	producer, err := sarama.NewSyncProducer([]string{suite.Bootstrap}, idempotent())
	suite.Check(err, "producer")
	defer producer.Close()
	var restarted <-chan error
	var failed error
	for n := 0; n < 600 && failed == nil; n += 20 {
		var messages []*sarama.ProducerMessage
		for i := n; i < n+20; i++ {
			messages = append(messages, numbered(topic, 0, i))
		}
		if n == 200 {
			restarted = suite.RestartInBackground(command)
		}
		failed = producer.SendMessages(messages)
	}
	suite.Check(<-restarted, command)
	if all := (sarama.ProducerErrors{}); errors.As(failed, &all) {
		failed = all[0]
	}
	suite.Check(failed, "send")
	readNumbered(topic, 0, 600)
}

func main() {
	var err error
	admin, err = sarama.NewClusterAdmin([]string{suite.Bootstrap}, config())
	if err != nil {
		fmt.Printf("FAIL connect: %v\n", err)
		return
	}
	suite.Main([]suite.Case{
		{Name: "round_trip", Body: roundTrip},
		{Name: "codecs", Body: codecs},
		{Name: "large_records", Body: largeRecords},
		{Name: "too_large", Body: tooLarge},
		{Name: "offsets_by_time", Body: offsetsByTime},
		{Name: "topic_admin", Body: topicAdmin},
		{Name: "many_in_order", Body: manyInOrder},
		{Name: "two_hundred_connections", Body: twoHundredConnections},
		{Name: "idempotent_retry", Body: idempotentRetry},
		{Name: "restart_in_the_middle", Body: func() { restart("restart") }},
		{Name: "kill_in_the_middle", Body: func() { restart("kill") }},
	})
}
