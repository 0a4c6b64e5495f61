package queue

import "zombiezen.com/go/sqlite"

// run runs a statement that returns no rows and leaves it ready for the next time.
func run(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return err
	}
	return stmt.Reset()
}

// exec runs a statement that returns no rows, with integer arguments, and returns the
// number of rows it changed.
func exec(conn *sqlite.Conn, query string, args ...int64) (changed int, err error) {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return 0, err
	}
	for i, a := range args {
		stmt.BindInt64(i+1, a)
	}
	if err := run(stmt); err != nil {
		return 0, err
	}
	return conn.Changes(), nil
}

// queryInt64 returns the first column of the first row; 0 if there is no row.
func queryInt64(conn *sqlite.Conn, query string, args ...int64) (int64, error) {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return 0, err
	}
	for i, a := range args {
		stmt.BindInt64(i+1, a)
	}
	found, err := stmt.Step()
	if err != nil || !found {
		return 0, err
	}
	v := stmt.ColumnInt64(0)
	return v, stmt.Reset()
}

// forEach binds integer arguments and calls fn for each row of the statement.
func forEach(stmt *sqlite.Stmt, fn func(), args ...int64) error {
	for i, a := range args {
		stmt.BindInt64(i+1, a)
	}
	for {
		found, err := stmt.Step()
		if err != nil {
			return err
		}
		if !found {
			return stmt.Reset()
		}
		fn()
	}
}
