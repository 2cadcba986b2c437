// A group member of the churn test on franz-go: reads, commits what it has read, and records every
// poll, commit, assignment and revocation. SIGTERM makes it leave.
//
//	memberfranz NAME GROUP TOPIC ASSIGNOR [INSTANCE]
//
// ASSIGNOR is range, roundrobin, sticky, cooperative-sticky, or several of them joined by commas.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidegate/clients/recording"
)

type member struct {
	group, instance string
	cooperative     bool
	history         *recording.Recording
	mutex           sync.Mutex
	held            map[string]bool
	// pending was read and is not known to be committed: a commit that a rebalance refused is tried again.
	pending map[string]*kgo.Record
}

func names(tps map[string][]int32) []string {
	found := []string{}
	for topic, partitions := range tps {
		for _, p := range partitions {
			found = append(found, fmt.Sprintf("%s-%d", topic, p))
		}
	}
	sort.Strings(found)
	return found
}

// own tells all that is held in the client's generation.
func (m *member) own(client *kgo.Client) {
	held := []string{}
	for tp := range m.held {
		held = append(held, tp)
	}
	sort.Strings(held)
	_, generation := client.GroupMetadata()
	fields := map[string]any{"group": m.group, "generation": generation, "tps": held,
		"cooperative": m.cooperative}
	if m.instance != "" {
		fields["instance"] = m.instance
	}
	m.history.Note("own", fields)
}

func (m *member) assigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, tp := range names(added) {
		m.held[tp] = true
	}
	m.own(client)
}

func (m *member) gone(f string) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, client *kgo.Client, tps map[string][]int32) {
		if f == "lost" && len(tps) == 0 {
			return // told anew at every try to join while the server is away
		}
		m.mutex.Lock()
		defer m.mutex.Unlock()
		for _, tp := range names(tps) {
			delete(m.held, tp)
			delete(m.pending, tp)
		}
		m.history.Note(f, map[string]any{"group": m.group, "tps": names(tps)})
		if f == "revoke" && m.cooperative {
			m.own(client)
		}
	}
}

// resumed sees the committed offsets before they are used.
func (m *member) resumed(_ context.Context, offsets map[string]map[int32]kgo.Offset) (
	map[string]map[int32]kgo.Offset, error) {
	for topic, partitions := range offsets {
		for p, offset := range partitions {
			tp, at := fmt.Sprintf("%s-%d", topic, p), offset.EpochOffset().Offset
			m.history.Note("resume", map[string]any{"group": m.group, "tp": tp, "offset": max(at, -1)})
			if at < 0 {
				m.history.Note("seek", map[string]any{"positions": map[string]any{tp: 0}})
			}
		}
	}
	return offsets, nil
}

func (m *member) commit(ctx context.Context, client *kgo.Client) {
	ends, last := map[string]any{}, []*kgo.Record{}
	m.mutex.Lock()
	for tp, r := range m.pending {
		ends[tp] = r.Offset + 1
		last = append(last, r)
	}
	m.mutex.Unlock()
	if len(last) == 0 {
		return
	}
	op := m.history.Invoke("commit", map[string]any{"group": m.group, "offsets": ends})
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.CommitRecords(limited, last...); err != nil { // an earlier try may have arrived
		m.history.End(op, "unknown", map[string]any{"why": err.Error()})
	} else {
		m.history.End(op, "ok", nil)
		m.mutex.Lock()
		m.pending = map[string]*kgo.Record{}
		m.mutex.Unlock()
	}
}

func (m *member) step(ctx context.Context, client *kgo.Client) {
	defer client.AllowRebalance()
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	fetches := client.PollRecords(short, 500)
	records := []any{}
	m.mutex.Lock()
	fetches.EachRecord(func(r *kgo.Record) {
		tp := fmt.Sprintf("%s-%d", r.Topic, r.Partition)
		records = append(records, []any{tp, r.Offset, strings.TrimSpace(string(r.Value))})
		m.pending[tp] = r
	})
	m.mutex.Unlock()
	fetches.EachError(func(topic string, partition int32, err error) {
		if errors.Is(err, kerr.OffsetOutOfRange) {
			fmt.Printf("PROBLEM %s-%d: %v\n", topic, partition, err)
		}
	})
	if len(records) > 0 {
		m.history.Note("poll", map[string]any{"records": records})
	}
	m.commit(ctx, client)
}

func balancers(assignor string) []kgo.GroupBalancer {
	known := map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"sticky": kgo.StickyBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer()}
	var chosen []kgo.GroupBalancer
	for _, name := range strings.Split(assignor, ",") {
		chosen = append(chosen, known[name])
	}
	return chosen
}

func main() {
	name, group, topic, assignor := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	history, err := recording.New(name)
	if err != nil {
		panic(err)
	}
	m := &member{group: group, cooperative: assignor == "cooperative-sticky", history: history,
		held: map[string]bool{}, pending: map[string]*kgo.Record{}}
	session, err := strconv.Atoi(os.Getenv("TG_SESSION_MS"))
	if err != nil {
		panic(err)
	}
	options := []kgo.Opt{kgo.SeedBrokers(os.Getenv("TG_BOOTSTRAP")), kgo.ClientID(name),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancers(assignor)...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), kgo.AdjustFetchOffsetsFn(m.resumed),
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.gone("revoke")),
		kgo.OnPartitionsLost(m.gone("lost")), kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.SessionTimeout(time.Duration(session) * time.Millisecond),
		kgo.HeartbeatInterval(300 * time.Millisecond), kgo.RebalanceTimeout(20 * time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond })}
	if len(os.Args) > 5 {
		m.instance = os.Args[5]
		options = append(options, kgo.InstanceID(m.instance))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		panic(err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	for ctx.Err() == nil {
		m.step(ctx, client)
	}
	client.CloseAllowingRebalance()
}
