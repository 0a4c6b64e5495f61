package queuetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// startMove starts a task and waits until the source's depth is what it must count.
func (s *suite) startMove(source string, o queue.MoveOptions) queue.Move {
	s.Helper()
	m, err := s.b.StartMove(s.Context(), source, o)
	if err != nil {
		s.Fatalf("start move: %v", err)
	}
	if m.ID == "" || m.Source != source || m.Dest != o.Dest {
		s.Errorf("started %+v, asked for %s to %q", m, source, o.Dest)
	}
	return m
}

// waitMove waits until a task has ended.
func (s *suite) waitMove(source, id string) (ended queue.Move) {
	s.Helper()
	s.eventually("the move has ended", func() (any, bool) {
		ended = s.move(source, id)
		return ended, ended.Status != queue.MoveRunning
	})
	return ended
}

func (s *suite) move(source, id string) queue.Move {
	s.Helper()
	moves, err := s.b.Moves(s.Context(), source)
	if err != nil {
		s.Fatalf("moves: %v", err)
	}
	for _, m := range moves {
		// SQS names a task only while it runs.
		if m.ID == id || m.ID == "" {
			return m
		}
	}
	s.Fatalf("task %s is not among %+v", id, moves)
	return queue.Move{}
}

func (s *suite) waitVisible(name string, n int) {
	s.Helper()
	s.eventually(fmt.Sprintf("%d visible in %s", n, name), func() (any, bool) {
		d := s.depth(name)
		return d, d.Visible == n
	})
}

func moveToQueue(s *suite) {
	_, _, dlqName, dlq := s.createWithDLQ(1)
	destName, dest := s.create(queue.Config{})
	sent := append(numbered(2*queue.MaxBatch), everything())
	s.send(dlq, sent...)
	before := s.receive(dlq, len(sent), long)
	ids := make(map[string]string)
	for _, m := range before {
		ids[string(m.Body)] = m.ID
		if err := dlq.ChangeVisibility(s.Context(), m.Receipt, 0); err != nil {
			s.Fatal(err)
		}
	}
	s.waitVisible(dlqName, len(sent))

	m := s.waitMove(dlqName, s.startMove(dlqName, queue.MoveOptions{Dest: destName}).ID)
	if m.Status != queue.MoveCompleted || m.Moved != len(sent) || m.ToMove != len(sent) || m.Dest != destName {
		s.Errorf("task ended as %+v, want all %d moved", m, len(sent))
	}
	got := s.receive(dest, len(sent), long)
	s.wantBodies(got, sent)
	for _, m := range got {
		if m.ReceiveCount != 1 && !s.o.MoveKeepsCounts {
			s.Errorf("%q has receive count %d after the move", m.Body, m.ReceiveCount)
		}
		if id := ids[string(m.Body)]; m.ID != id && !s.o.MoveMakesNewIDs {
			s.Errorf("%q has id %s after the move, was %s", m.Body, m.ID, id)
		}
		if string(m.Body) == anyText {
			s.wantSame(m, everything())
		}
	}
	s.wantTotal(dlqName, 0)
	// Receipts of before the move are of no use in either queue.
	for _, m := range before {
		_ = dlq.Delete(s.Context(), []string{m.Receipt})
		_ = dest.Delete(s.Context(), []string{m.Receipt})
	}
	s.wantTotal(destName, len(sent))
}

func moveBack(s *suite) {
	dlqName, _ := s.create(queue.Config{})
	var names []string
	var queues []queue.Queue
	var receipts []string
	for i := range 2 {
		name, q := s.create(queue.Config{DLQ: dlqName, MaxReceives: 1})
		names, queues = append(names, name), append(queues, q)
		m := everything()
		m.Attributes["name-0_x.y"] = names[i]
		s.send(q, m)
		first := s.receiveOne(q, long)
		receipts = append(receipts, first.Receipt)
		if err := q.ChangeVisibility(s.Context(), first.Receipt, 0); err != nil {
			s.Fatal(err)
		}
		s.giveUp(name, q)
	}
	s.waitVisible(dlqName, 2)
	m := s.waitMove(dlqName, s.startMove(dlqName, queue.MoveOptions{}).ID)
	if m.Status != queue.MoveCompleted || m.Moved != 2 || m.Dest != "" {
		s.Errorf("task ended as %+v", m)
	}
	for i, q := range queues {
		if !s.o.OldReceiptsDelete {
			_ = q.Delete(s.Context(), receipts[i:i+1]) // of before the moves: deletes nothing
		}
		m := s.receiveOne(q, long)
		want := everything()
		want.Attributes["name-0_x.y"] = names[i]
		s.wantSame(m, want)
		if m.ReceiveCount != 1 && !s.o.MoveKeepsCounts {
			s.Errorf("receive count %d after the move back", m.ReceiveCount)
		}
		s.delete(q, m)
	}
	s.wantTotal(dlqName, 0)
}

// moveWithoutSource: a message that was sent to the DLQ directly has no source queue.
func moveWithoutSource(s *suite) {
	_, _, dlqName, dlq := s.createWithDLQ(1)
	s.send(dlq, text("sent here"))
	s.waitVisible(dlqName, 1)
	m := s.waitMove(dlqName, s.startMove(dlqName, queue.MoveOptions{}).ID)
	if m.Status != queue.MoveFailed || m.Failure == "" || m.Moved != 0 {
		s.Errorf("task ended as %+v, want it failed with a reason", m)
	}
	s.wantSame(s.receiveOne(dlq, long), text("sent here"))
}

func moveRateAndCancel(s *suite) {
	const n, rate = 200, 10
	_, _, dlqName, dlq := s.createWithDLQ(1)
	destName, dest := s.create(queue.Config{})
	sent := numbered(n)
	s.send(dlq, sent...)
	s.waitVisible(dlqName, n)

	start := time.Now()
	m := s.startMove(dlqName, queue.MoveOptions{Dest: destName, Rate: rate})
	if m.Status != queue.MoveRunning {
		s.Errorf("started as %+v", m)
	}
	_, err := s.b.StartMove(s.Context(), dlqName, queue.MoveOptions{Dest: destName})
	s.wantError("second task", err, queue.ErrMoveActive)

	s.eventually("some moved", func() (any, bool) {
		m := s.move(dlqName, m.ID)
		return m, m.Moved >= 2*rate
	})
	// A second's worth may go at once.
	if took := time.Since(start); took < 900*time.Millisecond {
		s.Errorf("%d moved after %v at %d/s", 2*rate, took, rate)
	}
	if err := s.b.CancelMove(s.Context(), m.ID); err != nil {
		s.Fatalf("cancel: %v", err)
	}
	ended := s.waitMove(dlqName, m.ID)
	if ended.Status != queue.MoveCancelled || ended.Moved >= n {
		s.Errorf("cancelled task ended as %+v", ended)
	}
	// What it moved stays moved, and nothing is lost or doubled.
	var moved, left int
	s.eventually("the counts add up", func() (any, bool) {
		moved, left = s.depth(destName).Total(), s.depth(dlqName).Total()
		return []int{moved, left, ended.Moved}, moved+left == n && moved >= ended.Moved
	})
	got := append(s.receive(dest, moved, long), s.receive(dlq, left, long)...)
	s.wantBodies(got, sent)

	if err := s.b.CancelMove(s.Context(), m.ID); !s.o.CancelsEnded {
		s.wantError("cancel a task that has ended", err, queue.ErrNoMove)
	}
}

func moveNothing(s *suite) {
	_, _, dlqName, _ := s.createWithDLQ(1)
	destName, _ := s.create(queue.Config{})
	m := s.waitMove(dlqName, s.startMove(dlqName, queue.MoveOptions{Dest: destName}).ID)
	if m.Status != queue.MoveCompleted || m.Moved != 0 {
		s.Errorf("task ended as %+v", m)
	}
}

func moveErrors(s *suite) {
	name, _, dlqName, _ := s.createWithDLQ(1)
	const none = "millrace-test-there-is-no-such-queue"
	_, err := s.b.StartMove(s.Context(), name, queue.MoveOptions{})
	s.wantError("move from a queue that is nobody's dead-letter queue", err, queue.ErrNotDLQ)
	_, err = s.b.StartMove(s.Context(), none, queue.MoveOptions{})
	s.wantError("move from a queue that does not exist", err, queue.ErrNoQueue)
	_, err = s.b.StartMove(s.Context(), dlqName, queue.MoveOptions{Dest: none})
	s.wantError("move to a queue that does not exist", err, queue.ErrNoQueue)
	for _, rate := range []int{-1, 501} {
		if _, err = s.b.StartMove(s.Context(), dlqName, queue.MoveOptions{Dest: name, Rate: rate}); err == nil {
			s.Errorf("a rate of %d was accepted", rate)
		}
	}
	s.wantError("cancel a task that does not exist", s.b.CancelMove(s.Context(), "nonsense"), queue.ErrNoMove)
	if moves, err := s.b.Moves(s.Context(), dlqName); err != nil || len(moves) != 0 {
		s.Errorf("moves of a queue that had none: %+v, %v", moves, err)
	}
	if _, err := s.b.Moves(s.Context(), none); !errors.Is(err, queue.ErrNoQueue) {
		s.Errorf("moves of a queue that does not exist: %v", err)
	}
}
