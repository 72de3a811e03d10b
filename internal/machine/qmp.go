package machine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// answerLimit is how long QEMU may take to answer; it does at once, unless it
// waits for a slow disk.
const answerLimit = 30 * time.Second

// qmp speaks with QEMU's monitor.
type qmp struct {
	conn    net.Conn
	onEvent func(event)

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply
	closed  chan struct{}
}

type event struct {
	Name string `json:"event"`
	Data struct {
		Guest  bool   `json:"guest"`
		Reason string `json:"reason"`
	} `json:"data"`
}

type reply struct {
	ID     *int            `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Description string `json:"desc"`
	} `json:"error"`
}

// newQMP starts to listen; onEvent is called for each event, in their order.
func newQMP(conn net.Conn, onEvent func(event)) *qmp {
	q := &qmp{conn: conn, onEvent: onEvent, waiting: map[int]chan reply{}, closed: make(chan struct{})}
	go q.listen()
	return q
}

func (q *qmp) listen() {
	defer close(q.closed)
	lines := bufio.NewReader(q.conn)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var happened event
		if json.Unmarshal(line, &happened) == nil && happened.Name != "" {
			q.onEvent(happened)
			continue
		}
		var answer reply
		if json.Unmarshal(line, &answer) != nil || answer.ID == nil {
			continue // the greeting
		}
		q.mu.Lock()
		waiting := q.waiting[*answer.ID]
		delete(q.waiting, *answer.ID)
		q.mu.Unlock()
		if waiting != nil {
			waiting <- answer
		}
	}
}

// errEnded is what commands get from a QEMU that is not there any more.
var errEnded = errors.New("QEMU has ended")

// execute sends a command and decodes the answer into result, if it is not nil.
func (q *qmp) execute(ctx context.Context, command string, arguments, result any) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	answered := make(chan reply, 1)
	q.mu.Lock()
	q.next++
	id := q.next
	q.waiting[id] = answered
	q.mu.Unlock()

	request := map[string]any{"execute": command, "id": id}
	if arguments != nil {
		request["arguments"] = arguments
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := q.conn.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("%s: %w", command, errEnded)
	}
	select {
	case answer := <-answered:
		switch {
		case answer.Error != nil:
			return fmt.Errorf("%s: %s", command, answer.Error.Description)
		case result != nil:
			return json.Unmarshal(answer.Return, result)
		}
		return nil
	case <-q.closed:
		return fmt.Errorf("%s: %w", command, errEnded)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", command, context.Cause(ctx))
	}
}

var _ io.Closer = (*qmp)(nil)

// Close ends the connection.
func (q *qmp) Close() error { return q.conn.Close() }
