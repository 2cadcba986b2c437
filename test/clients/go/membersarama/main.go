// A group member of the churn test on sarama: reads, commits what it has read, and records every poll,
// commit, assignment and revocation. SIGTERM makes it leave.
//
//	membersarama NAME GROUP TOPIC ASSIGNOR [INSTANCE]
//
// ASSIGNOR is range, roundrobin or sticky.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/IBM/sarama"

	"tidegate/clients/recording"
)

type member struct {
	group, instance string
	client          sarama.Client
	history         *recording.Recording
}

func claimed(session sarama.ConsumerGroupSession) []string {
	found := []string{}
	for topic, partitions := range session.Claims() {
		for _, p := range partitions {
			found = append(found, fmt.Sprintf("%s-%d", topic, p))
		}
	}
	sort.Strings(found)
	return found
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	fields := map[string]any{"group": m.group, "generation": session.GenerationID(),
		"tps": claimed(session), "cooperative": false}
	if m.instance != "" {
		fields["instance"] = m.instance
	}
	m.history.Note("own", fields)
	return nil
}

func (m *member) Cleanup(session sarama.ConsumerGroupSession) error {
	m.history.Note("revoke", map[string]any{"group": m.group, "tps": claimed(session)})
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	tp, at := fmt.Sprintf("%s-%d", claim.Topic(), claim.Partition()), claim.InitialOffset()
	m.history.Note("resume", map[string]any{"group": m.group, "tp": tp, "offset": max(at, -1)})
	if at < 0 {
		m.history.Note("seek", map[string]any{"positions": map[string]any{tp: 0}})
	}
	again := time.NewTicker(300 * time.Millisecond) // a commit that failed is tried again
	defer again.Stop()
	var pending *sarama.ConsumerMessage
	for {
		select {
		case <-session.Context().Done():
			return nil
		case <-again.C:
			if pending != nil && m.commit(session, tp, pending) {
				pending = nil
			}
		case first, open := <-claim.Messages():
			if !open {
				return nil
			}
			pending = m.take(claim, tp, first)
			if m.commit(session, tp, pending) {
				pending = nil
			}
		}
	}
}

// take records what is there by now; the last of it.
func (m *member) take(claim sarama.ConsumerGroupClaim, tp string,
	first *sarama.ConsumerMessage) *sarama.ConsumerMessage {
	last, records := first, []any{}
	for message := first; message != nil; {
		last = message
		records = append(records, []any{tp, message.Offset, strings.TrimSpace(string(message.Value))})
		message = nil
		if len(records) < 500 {
			select {
			case message = <-claim.Messages():
			default:
			}
		}
	}
	m.history.Note("poll", map[string]any{"records": records})
	return last
}

// commit goes to the coordinator by hand: the session's own Commit does not tell its outcome.
func (m *member) commit(session sarama.ConsumerGroupSession, tp string, last *sarama.ConsumerMessage) bool {
	op := m.history.Invoke("commit", map[string]any{"group": m.group,
		"offsets": map[string]any{tp: last.Offset + 1}})
	err := m.commitTo(session, last)
	if err != nil {
		m.history.End(op, "unknown", map[string]any{"why": err.Error()})
		_ = m.client.RefreshCoordinator(m.group)
		return false
	}
	m.history.End(op, "ok", nil)
	return true
}

func (m *member) commitTo(session sarama.ConsumerGroupSession, last *sarama.ConsumerMessage) error {
	coordinator, err := m.client.Coordinator(m.group)
	if err != nil {
		return err
	}
	request := &sarama.OffsetCommitRequest{Version: 2, ConsumerGroup: m.group,
		ConsumerGroupGeneration: session.GenerationID(), ConsumerID: session.MemberID(), RetentionTime: -1}
	if m.instance != "" {
		request.Version, request.GroupInstanceId = 7, &m.instance
	}
	request.AddBlock(last.Topic, last.Partition, last.Offset+1, 0, "")
	answer, err := coordinator.CommitOffset(request)
	if err != nil {
		_ = coordinator.Close()
		return err
	}
	if code := answer.Errors[last.Topic][last.Partition]; code != sarama.ErrNoError {
		return code
	}
	return nil
}

func config(name, assignor, instance string) *sarama.Config {
	session, err := strconv.Atoi(os.Getenv("TG_SESSION_MS"))
	if err != nil {
		panic(err)
	}
	c := sarama.NewConfig()
	c.ClientID = name
	c.Version = sarama.V2_8_0_0
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout = time.Duration(session) * time.Millisecond
	c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	c.Consumer.Group.Rebalance.Timeout = 20 * time.Second
	c.Consumer.Group.InstanceId = instance
	c.Metadata.Retry.Max = 100
	c.Metadata.Retry.Backoff = 100 * time.Millisecond
	known := map[string]sarama.BalanceStrategy{"range": sarama.NewBalanceStrategyRange(),
		"roundrobin": sarama.NewBalanceStrategyRoundRobin(), "sticky": sarama.NewBalanceStrategySticky()}
	c.Consumer.Group.Rebalance.GroupStrategies = nil
	for _, one := range strings.Split(assignor, ",") {
		c.Consumer.Group.Rebalance.GroupStrategies = append(c.Consumer.Group.Rebalance.GroupStrategies, known[one])
	}
	return c
}

func main() {
	name, group, topic, assignor, instance := os.Args[1], os.Args[2], os.Args[3], os.Args[4], ""
	if len(os.Args) > 5 {
		instance = os.Args[5]
	}
	history, err := recording.New(name)
	if err != nil {
		panic(err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	bootstrap := []string{os.Getenv("TG_BOOTSTRAP")}
	client, err := sarama.NewClient(bootstrap, config(name, assignor, instance))
	for ; err != nil && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		client, err = sarama.NewClient(bootstrap, config(name, assignor, instance))
	}
	if err != nil {
		return
	}
	consumer, err := sarama.NewConsumerGroupFromClient(group, client)
	if err != nil {
		panic(err)
	}
	m := &member{group: group, instance: instance, client: client, history: history}
	for ctx.Err() == nil {
		if err := consumer.Consume(ctx, []string{topic}, m); err != nil && ctx.Err() == nil {
			fmt.Printf("NOTE %v\n", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	_ = consumer.Close()
	_ = client.Close()
}
