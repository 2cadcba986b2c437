// The franz-go suite: the newest protocol versions (topic ids in Produce 13 and Fetch 18, sessions).
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidegate/clients/suite"
)

var admin *kadm.Client

func background() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), suite.Wait)
	time.AfterFunc(suite.Wait+time.Second, cancel)
	return ctx
}

func client(options ...kgo.Opt) *kgo.Client {
	options = append([]kgo.Opt{kgo.SeedBrokers(suite.Bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RetryBackoffFn(func(int) time.Duration {
			return 50 * time.Millisecond
		})}, options...)
	c, err := kgo.NewClient(options...)
	suite.Check(err, "client")
	return c
}

func create(prefix string, partitions int32) string {
	name := suite.TopicName(prefix)
	_, err := admin.CreateTopic(background(), partitions, 1, nil, name)
	suite.Check(err, "create "+name)
	return name
}

func produce(c *kgo.Client, records ...*kgo.Record) {
	suite.Check(c.ProduceSync(background(), records...).FirstErr(), "produce")
}

// read wants exactly counts[p] records of each partition, then none for a while.
func read(topic string, counts ...int) [][]*kgo.Record {
	offsets := map[int32]kgo.Offset{}
	total := 0
	for p, n := range counts {
		offsets[int32(p)] = kgo.NewOffset().At(0)
		total += n
	}
	c := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	defer c.Close()
	got := make([][]*kgo.Record, len(counts))
	ctx := background()
	for seen := 0; seen < total; {
		fetches := c.PollFetches(ctx)
		suite.Check(fetches.Err(), fmt.Sprintf("read after %d of %d", seen, total))
		fetches.EachRecord(func(r *kgo.Record) {
			got[r.Partition] = append(got[r.Partition], r)
			seen++
		})
	}
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	suite.Equal(c.PollFetches(short).NumRecords(), 0, "records after the last")
	for p, n := range counts {
		suite.Equal(len(got[p]), n, fmt.Sprintf("partition %d", p))
	}
	return got
}

func checkNumbered(got [][]*kgo.Record) {
	for p, records := range got {
		var values [][]byte
		for _, r := range records {
			values = append(values, r.Value)
		}
		suite.CheckNumbered(int32(p), values, len(records))
	}
}

func numbered(topic string, partition int32, n int) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: suite.Numbered(partition, n)}
}

func roundTrip() {
	topic := create("franz-rt", 2)
	c := client()
	defer c.Close()
	records := suite.RoundTrip()
	for n, r := range records {
		record := &kgo.Record{Topic: topic, Partition: 1, Key: r.Key, Value: r.Value,
			Timestamp: time.UnixMilli(r.TimeMs)}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		produce(c, record)
		suite.Equal(record.Offset, int64(n), "offset in the answer")
	}
	for n, r := range read(topic, 0, len(records))[1] {
		want := records[n]
		suite.SameBytes(r.Key, want.Key, fmt.Sprintf("key %d", n))
		suite.SameBytes(r.Value, want.Value, fmt.Sprintf("value %d", n))
		suite.Equal(r.Timestamp.UnixMilli(), want.TimeMs, "timestamp")
		suite.Equal(r.Offset, int64(n), "offset")
		suite.Equal(len(r.Headers), len(want.Headers), "headers")
		for i, h := range r.Headers {
			suite.Equal(h.Key, want.Headers[i].Key, "header key")
			suite.SameBytes(h.Value, want.Headers[i].Value, "header "+h.Key)
		}
	}
}

func codecs() {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()} {
		topic := create("franz-"+name, 1)
		c := client(kgo.ProducerBatchCompression(codec))
		var records []*kgo.Record
		for n := 0; n < 500; n++ {
			records = append(records, numbered(topic, 0, n))
		}
		produce(c, records...)
		c.Close()
		checkNumbered(read(topic, 500))
	}
}

func largeRecords() {
	topic := create("franz-large", 1)
	c := client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer c.Close()
	value := suite.RandomBytes(suite.LargeBytes)
	produce(c, &kgo.Record{Topic: topic, Value: value}, &kgo.Record{Topic: topic, Value: value})
	for _, r := range read(topic, 2)[0] {
		suite.SameBytes(r.Value, value, "900 KB value")
	}
}

func tooLarge() {
	topic := create("franz-too-large", 1)
	c := client(kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer c.Close()
	err := c.ProduceSync(background(), &kgo.Record{Topic: topic,
		Value: make([]byte, suite.TooLargeBytes)}).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) {
		suite.Failf("wanted MESSAGE_TOO_LARGE, got %v", err)
	}
}

func offsetsByTime() {
	topic := create("franz-time", 1)
	c := client()
	defer c.Close()
	for n := 0; n < 50; n++ {
		r := numbered(topic, 0, n)
		r.Timestamp = time.UnixMilli(suite.BaseMs + int64(n)*1000)
		produce(c, r)
	}
	found, err := admin.ListOffsetsAfterMilli(background(), suite.BaseMs+20_500, topic)
	suite.Check(err, "offsets after a time")
	at, _ := found.Lookup(topic, 0)
	suite.Equal(at.Offset, 21, "offset")
	suite.Equal(at.Timestamp, suite.BaseMs+21_000, "timestamp")
	start, err := admin.ListStartOffsets(background(), topic)
	suite.Check(err, "start offsets")
	at, _ = start.Lookup(topic, 0)
	suite.Equal(at.Offset, 0, "start")
	end, err := admin.ListEndOffsets(background(), topic)
	suite.Check(err, "end offsets")
	at, _ = end.Lookup(topic, 0)
	suite.Equal(at.Offset, 50, "end")
}

func topicAdmin() {
	ctx := background()
	name := create("franz-admin", 2)
	_, err := admin.CreateTopic(ctx, 1, 1, nil, name)
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		suite.Failf("create twice: %v", err)
	}
	changed, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("7200000")}}, name)
	suite.Check(err, "alter")
	altered, err := changed.On(name, nil)
	suite.Check(errors.Join(err, altered.Err), "alter "+name)
	suite.Eventually(func() error {
		configs, err := admin.DescribeTopicConfigs(ctx, name)
		if err != nil {
			return err
		}
		on, err := configs.On(name, nil)
		for _, c := range on.Configs {
			if c.Key == "retention.ms" && c.MaybeValue() == "7200000" {
				return nil
			}
		}
		return fmt.Errorf("retention.ms is not what was set (%v)", err)
	}, "retention.ms")
	grown, err := admin.CreatePartitions(ctx, 3, name) // three more
	suite.Check(err, "create partitions")
	more, err := grown.On(name, nil)
	suite.CheckGrowth(errors.Join(err, more.Err), kerr.InvalidPartitions)
	suite.Eventually(func() error {
		topics, err := admin.ListTopics(ctx, name)
		return suite.Wanted(len(topics[name].Partitions) == suite.Grown(2, 5), topics[name].Partitions, err)
	}, "partitions")
	_, err = admin.DeleteTopic(ctx, name)
	suite.Check(err, "delete")
	_, err = admin.DeleteTopic(ctx, name)
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		suite.Failf("delete twice: %v", err)
	}
}

func manyInOrder() {
	topic := create("franz-many", 4)
	c := client(kgo.ProducerBatchMaxBytes(8000))
	defer c.Close()
	var records []*kgo.Record
	for n := 0; n < 10_000; n++ {
		records = append(records, numbered(topic, int32(n%4), n/4))
	}
	produce(c, records...)
	checkNumbered(read(topic, 2500, 2500, 2500, 2500))
}

func idempotentRetry() {
	topic := create("franz-retry", 1)
	before := suite.Dropped()
	suite.Control("drop 0 3")
	c := client(kgo.SeedBrokers(suite.Proxied), kgo.ProducerBatchMaxBytes(4000))
	defer c.Close()
	var records []*kgo.Record
	for n := 0; n < 500; n++ {
		records = append(records, numbered(topic, 0, n))
	}
	produce(c, records...)
	suite.Equal(suite.Dropped()-before, 3, "answers lost by the proxy")
	checkNumbered(read(topic, 500))
}

// twoHundredConnections: so many clients at the same time, two turns of one record each.
func twoHundredConnections() {
	topic := create("franz-200", 2)
	clients := make([]*kgo.Client, 200)
	for n := range clients {
		clients[n] = client()
		defer clients[n].Close()
	}
	for turn := 0; turn < 2; turn++ {
		sent := make(chan error, len(clients))
		for _, c := range clients {
			record := &kgo.Record{Topic: topic, Partition: int32(turn), Value: []byte("v")}
			c.Produce(context.Background(), record, func(_ *kgo.Record, err error) { sent <- err })
		}
		for range clients {
			suite.Check(<-sent, "produce")
		}
	}
	read(topic, 200, 200)
}

func restart(command string) {
	suite.NeedDurable()
	topic := create("franz-"+command, 2)
	c := client(kgo.ProducerBatchMaxBytes(4000))
	defer c.Close()
	errs := make(chan error, 4000)
	var restarted <-chan error
	for n := 0; n < 4000; n++ {
		c.Produce(context.Background(), numbered(topic, int32(n%2), n/2),
			func(_ *kgo.Record, err error) { errs <- err })
		if n%20 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
		if n == 1000 {
			restarted = suite.RestartInBackground(command)
		}
	}
	suite.Check(<-restarted, command)
	suite.Check(c.Flush(background()), "flush")
	for n := 0; n < 4000; n++ {
		suite.Check(<-errs, "produce")
	}
	checkNumbered(read(topic, 2000, 2000))
}

func main() {
	admin = kadm.NewClient(client())
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
