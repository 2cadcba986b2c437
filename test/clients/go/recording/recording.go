// Package recording writes a client's history, one JSON object a line, in the format of
// test/clients/checker. Each line is stamped with CLOCK_MONOTONIC, by which the histories of several
// processes are merged, and written at once: a SIGKILL loses no line that was told before.
package recording

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Op is one operation from the moment when it is asked.
type Op struct {
	number int64
	fields map[string]any
}

type Recording struct {
	client string
	mutex  sync.Mutex
	file   *os.File
	next   int64
}

// New appends to the file that TG_HISTORY names.
func New(client string) (*Recording, error) {
	file, err := os.OpenFile(os.Getenv("TG_HISTORY"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return &Recording{client: client, file: file}, err
}

// Invoke notes that something is asked for; fields are what is known before.
func (r *Recording) Invoke(f string, fields map[string]any) Op {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	op := Op{r.next, fields}
	r.next++
	op.fields["f"] = f
	r.write(op, "invoke", nil)
	return op
}

// End notes the outcome: ok, fail or unknown.
func (r *Recording) End(op Op, outcome string, more map[string]any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.write(op, outcome, more)
}

// Note is an operation that is told only when it is over.
func (r *Recording) Note(f string, fields map[string]any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	op := Op{r.next, fields}
	r.next++
	op.fields["f"] = f
	r.write(op, "ok", nil)
}

func (r *Recording) write(op Op, kind string, more map[string]any) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	line := map[string]any{"client": r.client, "op": op.number, "type": kind, "t": now.Nano()}
	for name, value := range op.fields {
		line[name] = value
	}
	for name, value := range more {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = r.file.Write(append(text, '\n'))
	}
	if err != nil {
		fmt.Printf("PROBLEM history: %v\n", err)
		os.Exit(2)
	}
}
