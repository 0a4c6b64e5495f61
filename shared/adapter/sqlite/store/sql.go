package store

import (
	"fmt"

	"zombiezen.com/go/sqlite"
)

// query runs a statement and calls row for each row of its result. The statement stays
// prepared. row must not run the same statement.
func query(conn *sqlite.Conn, sql string, row func(*sqlite.Stmt) error, args ...any) error {
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	bind(stmt, args)
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		if err := row(stmt); err != nil {
			_ = stmt.Reset() // it has a row to give: there is no error to hide
			return err
		}
	}
}

// exec runs a statement that has no result.
func exec(conn *sqlite.Conn, sql string, args ...any) error {
	return query(conn, sql, func(*sqlite.Stmt) error { return nil }, args...)
}

// bind binds int64, int, string, []byte and nil. A nil []byte is NULL.
func bind(stmt *sqlite.Stmt, args []any) {
	for i, arg := range args {
		switch v := arg.(type) {
		case int64:
			stmt.BindInt64(i+1, v)
		case int:
			stmt.BindInt64(i+1, int64(v))
		case string:
			stmt.BindText(i+1, v)
		case []byte:
			if v == nil {
				stmt.BindNull(i + 1)
			} else {
				stmt.BindBytes(i+1, v)
			}
		case nil:
			stmt.BindNull(i + 1)
		default:
			panic(fmt.Sprintf("cannot bind a %T", arg))
		}
	}
}

// blob is a copy of a column; nil where it is NULL.
func blob(row *sqlite.Stmt, col int) []byte {
	if row.ColumnIsNull(col) {
		return nil
	}
	b := make([]byte, row.ColumnLen(col))
	row.ColumnBytes(col, b)
	return b
}
