package queue

import "zombiezen.com/go/sqlite"

// expirePerCall is how many expired messages one Send or Receive deletes: enough to keep
// up, few enough not to be felt.
const expirePerCall = 100

// expire deletes messages of the queue that are older than its retention.
func expire(conn *sqlite.Conn, q row, now int64) error {
	// Found by index; without an expired message that is all.
	oldest, err := queryInt64(conn, oldestSent, q.id, 0)
	if err != nil || oldest == 0 || oldest > now-q.retention {
		return err
	}
	_, err = deleteWhere(conn, "queue = ? AND sent <= ?", q.id, now-q.retention, expirePerCall)
	return err
}

// deleteWhere deletes at most limit messages that match a condition with two arguments,
// and returns how many.
func deleteWhere(conn *sqlite.Conn, where string, arg1, arg2, limit int64) (int, error) {
	stmt, err := conn.Prepare("SELECT seq FROM message WHERE " + where + " LIMIT ?")
	if err != nil {
		return 0, err
	}
	var seqs []int64
	if err := forEach(stmt, func() { seqs = append(seqs, stmt.ColumnInt64(0)) }, arg1, arg2, limit); err != nil {
		return 0, err
	}
	for _, seq := range seqs {
		if _, err := exec(conn, "DELETE FROM message WHERE seq = ?", seq); err != nil {
			return 0, err
		}
		if _, err := exec(conn, "DELETE FROM content WHERE seq = ?", seq); err != nil {
			return 0, err
		}
	}
	return len(seqs), nil
}
