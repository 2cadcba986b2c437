// The kafka-go suite: Writer and Reader on single partitions, and its low-level client for admin.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"tidegate/clients/suite"
)

var client = &kafka.Client{Addr: kafka.TCP(suite.Bootstrap), Timeout: suite.Wait}

func background() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), suite.Wait)
	time.AfterFunc(suite.Wait+time.Second, cancel)
	return ctx
}

func create(prefix string, partitions int) string {
	name := suite.TopicName(prefix)
	answer, err := client.CreateTopics(background(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}}})
	suite.Check(err, "create")
	suite.Check(answer.Errors[name], "create "+name)
	return name
}

func writer(topic string) *kafka.Writer {
	return &kafka.Writer{Addr: kafka.TCP(suite.Bootstrap), Topic: topic, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond, Balancer: &kafka.RoundRobin{}}
}

func write(w *kafka.Writer, messages ...kafka.Message) {
	suite.Check(w.WriteMessages(background(), messages...), "write")
}

func numbered(partition int32, count int) []kafka.Message {
	var messages []kafka.Message
	for n := 0; n < count; n++ {
		messages = append(messages, kafka.Message{Value: suite.Numbered(partition, n)})
	}
	return messages
}

// read wants exactly count records of the partition, then none for a while.
func read(topic string, partition, count int) []kafka.Message {
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{suite.Bootstrap}, Topic: topic,
		Partition: partition, MinBytes: 1, MaxBytes: 4 << 20, MaxWait: 200 * time.Millisecond})
	defer reader.Close()
	suite.Check(reader.SetOffset(0), "seek")
	ctx := background()
	var got []kafka.Message
	for len(got) < count {
		m, err := reader.ReadMessage(ctx)
		suite.Check(err, fmt.Sprintf("read after %d of %d", len(got), count))
		got = append(got, m)
	}
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if m, err := reader.ReadMessage(short); !errors.Is(err, context.DeadlineExceeded) {
		suite.Failf("after the last record: offset %d, error %v", m.Offset, err)
	}
	return got
}

func readNumbered(topic string, partition, count int) {
	var values [][]byte
	for _, m := range read(topic, partition, count) {
		values = append(values, m.Value)
	}
	suite.CheckNumbered(int32(partition), values, count)
}

func roundTrip() {
	topic := create("kafkago-rt", 1)
	records := suite.RoundTrip()
	var messages []kafka.Message
	for _, r := range records {
		m := kafka.Message{Key: r.Key, Value: r.Value, Time: time.UnixMilli(r.TimeMs)}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		messages = append(messages, m)
	}
	w := writer(topic)
	defer w.Close()
	write(w, messages...)
	for n, m := range read(topic, 0, len(records)) {
		want := records[n]
		// This reader does not tell null from empty.
		suite.Equal(string(m.Key), string(want.Key), fmt.Sprintf("key %d", n))
		suite.Equal(string(m.Value), string(want.Value), fmt.Sprintf("value %d", n))
		suite.Equal(m.Time.UnixMilli(), want.TimeMs, "timestamp")
		suite.Equal(m.Offset, int64(n), "offset")
		suite.Equal(len(m.Headers), len(want.Headers), "headers")
		for i, h := range m.Headers {
			suite.Equal(h.Key, want.Headers[i].Key, "header key")
			suite.Equal(string(h.Value), string(want.Headers[i].Value), "header "+h.Key)
		}
	}
}

func codecs() {
	for name, codec := range map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip,
		"snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd} {
		topic := create("kafkago-"+name, 1)
		w := writer(topic)
		w.Compression = codec
		write(w, numbered(0, 500)...)
		w.Close()
		readNumbered(topic, 0, 500)
	}
}

func largeRecords() {
	topic := create("kafkago-large", 1)
	w := writer(topic)
	defer w.Close()
	value := suite.RandomBytes(suite.LargeBytes)
	write(w, kafka.Message{Value: value}, kafka.Message{Value: value})
	for _, m := range read(topic, 0, 2) {
		suite.SameBytes(m.Value, value, "900 KB value")
	}
}

func tooLarge() {
	topic := create("kafkago-too-large", 1)
	w := writer(topic)
	w.BatchBytes = 8 << 20
	defer w.Close()
	err := w.WriteMessages(background(), kafka.Message{Value: make([]byte, suite.TooLargeBytes)})
	var each kafka.WriteErrors
	if !errors.As(err, &each) || !errors.Is(each[0], kafka.MessageSizeTooLarge) {
		suite.Failf("wanted the size error, got %v", err)
	}
}

func offsetsByTime() {
	topic := create("kafkago-time", 1)
	w := writer(topic)
	defer w.Close()
	messages := numbered(0, 50)
	for n := range messages {
		messages[n].Time = time.UnixMilli(suite.BaseMs + int64(n)*1000)
	}
	write(w, messages...)
	conn, err := kafka.DialLeader(background(), "tcp", suite.Bootstrap, topic, 0)
	suite.Check(err, "dial")
	defer conn.Close()
	at, err := conn.ReadOffset(time.UnixMilli(suite.BaseMs + 20_500))
	suite.Check(err, "offset by time")
	suite.Equal(at, 21, "offset by time")
	first, last, err := conn.ReadOffsets()
	suite.Check(err, "offsets")
	suite.Equal(first, 0, "start")
	suite.Equal(last, 50, "end")
}

func topicAdmin() {
	ctx := background()
	name := create("kafkago-admin", 2)
	again, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: 1, ReplicationFactor: 1}}})
	suite.Check(err, "create twice")
	if !errors.Is(again.Errors[name], kafka.TopicAlreadyExists) {
		suite.Failf("create twice: %v", again.Errors[name])
	}
	changed, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: name,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "retention.ms",
				Value: "7200000", ConfigOperation: kafka.ConfigOperationSet}}}}})
	suite.Check(err, "alter")
	suite.Check(changed.Resources[0].Error, "alter "+name)
	grown, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: name, Count: 5}}})
	suite.Check(err, "create partitions")
	suite.CheckGrowth(grown.Errors[name], kafka.InvalidPartitionNumber)
	suite.Eventually(func() error {
		found, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
		if err != nil {
			return err
		}
		return suite.Wanted(len(found.Topics) == 1 && len(found.Topics[0].Partitions) == suite.Grown(2, 5), found.Topics, nil)
	}, "partitions")
	deleted, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
	suite.Check(err, "delete")
	suite.Check(deleted.Errors[name], "delete "+name)
}

func manyInOrder() {
	topic := create("kafkago-many", 1)
	w := writer(topic)
	w.BatchSize = 150
	defer w.Close()
	write(w, numbered(0, 10_000)...)
	readNumbered(topic, 0, 10_000)
}

// twoHundredConnections: a writer's transport keeps its connections, so each has its own.
func twoHundredConnections() {
	topic := create("kafkago-200", 1)
	writers := make([]*kafka.Writer, 200)
	for n := range writers {
		writers[n] = writer(topic)
		writers[n].Transport = &kafka.Transport{}
		defer writers[n].Close()
	}
	for turn := 0; turn < 2; turn++ {
		for _, w := range writers {
			write(w, kafka.Message{Value: []byte("v")})
		}
	}
	read(topic, 0, 400)
}

func restart(command string) {
	suite.NeedDurable()
	topic := create("kafkago-"+command, 1)
	w := writer(topic)
	defer w.Close()
	write(w, numbered(0, 100)...)
	suite.Check(<-suite.RestartInBackground(command), command)
	readNumbered(topic, 0, 100)
	write(w, kafka.Message{Value: suite.Numbered(0, 100)})
	readNumbered(topic, 0, 101)
}

func main() {
	suite.Main([]suite.Case{
		{Name: "round_trip", Body: roundTrip},
		{Name: "codecs", Body: codecs},
		{Name: "large_records", Body: largeRecords},
		{Name: "too_large", Body: tooLarge},
		{Name: "offsets_by_time", Body: offsetsByTime},
		{Name: "topic_admin", Body: topicAdmin},
		{Name: "many_in_order", Body: manyInOrder},
		{Name: "two_hundred_connections", Body: twoHundredConnections},
		// Its writer has no idempotence: a retry after a lost answer may rightly be stored twice.
		{Name: "idempotent_retry", Body: func() { suite.Skip("kafka-go has no idempotent producer") }},
		{Name: "restart_in_between", Body: func() { restart("restart") }},
		{Name: "kill_in_between", Body: func() { restart("kill") }},
	})
}
