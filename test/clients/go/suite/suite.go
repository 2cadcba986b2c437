// Package suite is what the Go suites share: the case runner, the control line, the test data.
package suite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	BaseMs        = int64(1_600_000_000_000)
	Wait          = 30 * time.Second
	LargeBytes    = 900 * 1024
	TooLargeBytes = 2 << 20
)

var (
	Bootstrap = os.Getenv("TG_BOOTSTRAP")
	Proxied   = os.Getenv("TG_PROXIED")
	Durable   = os.Getenv("TG_DURABLE") == "1"
	Grows     = os.Getenv("TG_GROWS") != "0"
)

type failure struct{ why string }
type skip struct{ why string }

// Failf ends the case as failed. Only the case's own goroutine may call it.
func Failf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

// Skip ends the case as skipped.
func Skip(why string) { panic(skip{why}) }

// Check fails the case when there is an error.
func Check(err error, what string) {
	if err != nil {
		Failf("%s: %v", what, err)
	}
}

// CheckGrowth wants what an attempt to add partitions ends with: no error, or `refusal` on an engine whose
// topics do not grow.
func CheckGrowth(err, refusal error) {
	if Grows {
		Check(err, "create partitions")
	} else if !errors.Is(err, refusal) {
		Failf("create partitions: %v, wanted %v", err, refusal)
	}
}

// Grown is the number of partitions after that.
func Grown(before, after int) int {
	if Grows {
		return after
	}
	return before
}

// Equal fails the case when the values differ.
func Equal[T comparable](got, want T, what string) {
	if got != want {
		Failf("%s: got %v, wanted %v", what, got, want)
	}
}

// SameBytes tells nil from empty, as Kafka does.
func SameBytes(got, want []byte, what string) {
	if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		Failf("%s: got %s, wanted %s", what, short(got), short(want))
	}
}

func short(b []byte) string {
	if b == nil {
		return "null"
	}
	if len(b) > 100 {
		b = b[:100]
	}
	return fmt.Sprintf("%q", b)
}

type Case struct {
	Name string
	Body func()
}

// Main runs the cases in order, each under a time limit, and exits.
func Main(cases []Case) {
	failed := false
	for _, c := range cases {
		if !strings.Contains(c.Name, os.Getenv("TG_CASE")) {
			continue
		}
		done := make(chan any, 1)
		go func() {
			defer func() { done <- recover() }()
			c.Body()
		}()
		var outcome any
		select {
		case outcome = <-done:
		case <-time.After(180 * time.Second):
			outcome = failure{"no end after 180 s"}
		}
		switch o := outcome.(type) {
		case nil:
			fmt.Printf("PASS %s\n", c.Name)
		case skip:
			fmt.Printf("SKIP %s: %s\n", c.Name, o.why)
		case failure:
			failed = true
			fmt.Printf("FAIL %s: %s\n", c.Name, strings.ReplaceAll(o.why, "\n", " "))
		default:
			failed = true
			fmt.Printf("FAIL %s: panic %v\n", c.Name, o)
		}
	}
	if failed {
		os.Exit(1)
	}
	os.Exit(0)
}

// ControlErr sends one command to the harness and returns the words after "ok".
func ControlErr(command string) ([]string, error) {
	conn, err := net.Dial("tcp", os.Getenv("TG_CONTROL"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err = fmt.Fprintln(conn, command); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) == 0 || words[0] != "ok" {
		return nil, fmt.Errorf("%s: %q %v", command, line, err)
	}
	return words[1:], nil
}

// Control is ControlErr for the case's own goroutine.
func Control(command string) []string {
	words, err := ControlErr(command)
	Check(err, "control")
	return words
}

// Dropped says how many answers the proxy has lost so far.
func Dropped() int {
	n, err := strconv.Atoi(Control("dropped")[0])
	Check(err, "dropped")
	return n
}

// RestartInBackground sends "restart" or "kill"; the channel yields its outcome.
func RestartInBackground(command string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := ControlErr(command)
		done <- err
	}()
	return done
}

func NeedDurable() {
	if !Durable {
		Skip("the engine keeps nothing over a restart")
	}
}

// Eventually waits until body returns no error: Kafka's controller answers a change before its broker
// part has applied it, and some clients keep their metadata for seconds.
func Eventually(body func() error, what string) {
	err := body()
	for left := 600; err != nil && left > 0; left-- {
		time.Sleep(100 * time.Millisecond)
		err = body()
	}
	Check(err, what+" after 60 s")
}

// Wanted is nil when the condition holds, else an error with what was found instead.
func Wanted(holds bool, found any, err error) error {
	if err == nil && !holds {
		err = fmt.Errorf("found %v", found)
	}
	return err
}

func TopicName(prefix string) string { return fmt.Sprintf("%s-%x", prefix, rand.Uint64()) }

// Numbered is the value of record n of a partition; its length varies.
func Numbered(partition int32, n int) []byte {
	return []byte(fmt.Sprintf("%d:%08d:%s", partition, n, strings.Repeat("x", n%200)))
}

// CheckNumbered wants exactly count numbered values, in order.
func CheckNumbered(partition int32, values [][]byte, count int) {
	for n, v := range values {
		if !bytes.Equal(v, Numbered(partition, n)) {
			Failf("partition %d record %d is %s", partition, n, short(v))
		}
	}
	Equal(len(values), count, fmt.Sprintf("count of partition %d", partition))
}

// RandomBytes yields incompressible, reproducible bytes.
func RandomBytes(size int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewSource(int64(size)))
	for i := range b {
		b[i] = byte(r.Intn(256))
	}
	return b
}

// AllBytes is 0 to 255.
func AllBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

type Header struct {
	Key   string
	Value []byte
}

type Record struct {
	Key, Value []byte
	Headers    []Header
	TimeMs     int64
}

// RoundTrip is every mix of null, empty and full that a record can have.
func RoundTrip() []Record {
	headers := []Header{{"a", []byte("1")}, {"null", nil}, {"empty", []byte{}}, {"a", AllBytes()},
		{"\u00fcn\u00ef \u2713", []byte{0xff, 0}}}
	var records []Record
	for _, key := range [][]byte{nil, {}, []byte("k"), AllBytes()} {
		for _, value := range [][]byte{nil, {}, []byte("v"), AllBytes()} {
			for _, h := range [][]Header{nil, headers} {
				records = append(records, Record{key, value, h, BaseMs + int64(7*len(records))})
			}
		}
	}
	return records
}
