// The franz-go load of the kill test: one idempotent acks=all producer at a steady rate over all
// partitions, until a line comes on its standard input, or its end.
//
//	killload NAME TOPIC PARTITIONS RATE
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidegate/clients/recording"
)

const (
	queueRecords    = 50_000
	deliveryTimeout = 300 * time.Second
)

type load struct {
	name, topic string
	partitions  int
	client      *kgo.Client
	history     *recording.Recording
	underway    atomic.Int64
}

func (l *load) send(number int) {
	partition, sequence := number%l.partitions, number/l.partitions
	value := fmt.Sprintf("%s:%d:%d", l.name, partition, sequence)
	op := l.history.Invoke("send", map[string]any{
		"tp": fmt.Sprintf("%s-%d", l.topic, partition), "value": value, "chained": true})
	l.underway.Add(1)
	l.client.Produce(context.Background(), &kgo.Record{Topic: l.topic, Partition: int32(partition),
		Value: []byte(value + strings.Repeat(" ", number%300))},
		func(r *kgo.Record, err error) {
			if err == nil {
				l.history.End(op, "ok", map[string]any{"offset": r.Offset})
			} else {
				l.history.End(op, "unknown", map[string]any{"why": err.Error()})
			}
			l.underway.Add(-1)
		})
}

func (l *load) run(rate int, stop <-chan struct{}) {
	begin, number := time.Now(), 0
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		due := int(time.Since(begin).Seconds() * float64(rate))
		for ; number < due && l.underway.Load() < queueRecords; number++ {
			l.send(number)
		}
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		panic("not a number: " + text)
	}
	return n
}

func main() {
	history, err := recording.New(os.Args[1])
	if err != nil {
		panic(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Getenv("TG_BOOTSTRAP"), ",")...), kgo.ClientID(os.Args[1]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(3*time.Millisecond), kgo.RecordDeliveryTimeout(deliveryTimeout),
		kgo.MaxBufferedRecords(queueRecords+1), kgo.MetadataMinAge(20*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		panic(err)
	}
	l := &load{name: os.Args[1], topic: os.Args[2], partitions: number(os.Args[3]), client: client,
		history: history}
	stop := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(stop)
	}()
	l.run(number(os.Args[4]), stop)
	flushed, cancel := context.WithTimeout(context.Background(), 120*time.Second)
	defer cancel()
	if err := client.Flush(flushed); err != nil {
		fmt.Printf("PROBLEM %d records without an outcome: %v\n", l.underway.Load(), err)
	}
}
