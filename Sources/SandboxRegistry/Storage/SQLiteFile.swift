internal import GRDB
internal import GRDBSQLite

// What GRDB does not wrap.

extension Database {
    /// Makes SQLite keep its log and the log's index when the last connection is closed (SQLITE_FCNTL_PERSIST_WAL).
    func keepLog() {
        var isKept: Int32 = 1
        _ = unsafe sqlite3_file_control(sqliteConnection, nil, SQLITE_FCNTL_PERSIST_WAL, &isKept)
    }

    /// Has each statement wait so long for other processes' locks, and fail as busy then.
    func wait(atMost time: Duration) {
        _ = unsafe sqlite3_busy_timeout(sqliteConnection, Int32(min(time.inMilliseconds, Double(Int32.max))))
    }

    /// Whether SQLite could open the file for reading only.
    var isReadOnlyFile: Bool { unsafe sqlite3_db_readonly(sqliteConnection, "main") == 1 }
}
