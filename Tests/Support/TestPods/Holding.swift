internal import Foundation
public import TestNode

/// Another program that holds the registry with a transaction of its own, until it is ended.
public final class RegistryHolder: Sendable {
    public let program: Program

    /// Returns when it holds the registry.
    ///
    /// - Parameter alone: Whether nobody else can read it, or even open it.
    public init(_ registry: String, alone: Bool = false) throws {
        let start = ProgramStart(
            "/usr/bin/env",
            [
                "python3", "-c",
                """
                import sqlite3, sys
                registry = sqlite3.connect(sys.argv[1], isolation_level=None)
                if sys.argv[2] == "alone": registry.execute("PRAGMA locking_mode = EXCLUSIVE")
                registry.execute("BEGIN IMMEDIATE")
                print("held", flush=True)
                sys.stdin.read()
                """, registry, alone ? "alone" : "",
            ])
        program = try .holding(start)
    }

    public func end() throws { try program.end() }
}

/// Another program that reads the registry in a transaction, and is stopped there until it is ended.
public final class StoppedReader: Sendable {
    private let program: Program
    public var pid: Int32 { program.pid }

    /// Returns when it is stopped.
    ///
    /// - Parameter mebibytes: How much is written to the registry's log after it began to read.
    public init(_ registry: String, mebibytes: Int) throws {
        let start = ProgramStart(
            "/usr/bin/env",
            [
                "python3", "-c",
                """
                import os, signal, sqlite3, sys
                reader, writer = (sqlite3.connect(sys.argv[1], isolation_level=None) for _ in range(2))
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM report").fetchall()
                for _ in range(int(sys.argv[2])):
                    writer.execute("INSERT INTO report VALUES (NULL, 'f', 'f_f_f_0', 0, 0, 'removed', zeroblob(1 << 20))")
                print("reads", flush=True)
                os.kill(os.getpid(), signal.SIGSTOP)
                """, registry, "\(mebibytes)",
            ])
        program = try .holding(start, says: "reads")
    }

    public func end() throws { try program.end() }
}

/// The helpers that a process has started, stopped: they take requests and answer nothing.
public final class StoppedHelpers: Sendable {
    private let helpers: [Int32]

    public init(of pid: Int32) throws {
        helpers = try NodeProcess(pid).children().filter { contents(of: "/proc/\($0)/comm") == "podreap-helper\n" }
        guard !helpers.isEmpty else { throw PodNodeFailure("process \(pid) has no helpers") }
        for helper in helpers { kill(helper, SIGSTOP) }
    }

    public func goOn() { for helper in helpers { kill(helper, SIGCONT) } }
}
