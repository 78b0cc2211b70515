import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// Registries that cannot be used: every command says why, and the file stays as it is.
@Suite(.serialized) struct BadRegistryTests {
    enum Damage: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case garbage, cutOff, newerSchema, foreign, readOnlyFile, readOnlyDirectory, directory, noDirectory

        var testDescription: String { rawValue }

        func cause(_ path: String) throws {
            let directory = URL(filePath: path).deletingLastPathComponent().path()
            // The log's content goes into the file first, and the log away: whoever closes the file last does that.
            try shell(
                "setpriv --reuid \(PodNode.user) --regid \(PodNode.user) --clear-groups python3 -c 'import sqlite3; "
                    + "file = sqlite3.connect(\"\(path)\"); file.execute(\"PRAGMA wal_checkpoint(TRUNCATE)\"); file.close()'"
            )
            switch self {
            case .garbage: try shell("head -c 20000 /dev/zero | tr '\\0' x >\(path); rm -f \(path)-wal \(path)-shm")
            case .cutOff: try shell("truncate -s 5000 \(path); rm -f \(path)-wal \(path)-shm")
            // Of SQLite's header, big-endian: user_version at 60, application_id at 68.
            case .newerSchema: try patch(path, at: 60, [0, 0, 0, 99])
            case .foreign: try patch(path, at: 68, [1, 2, 3, 4])
            case .readOnlyFile: try shell("chmod 444 \(path)")
            case .readOnlyDirectory: try shell("chown 0:0 \(directory) && chmod 755 \(directory)")
            case .directory: try shell("rm -f \(path)* && mkdir \(path)")
            case .noDirectory: try shell("rm -rf \(directory)")
            }
        }

        private func patch(_ path: String, at offset: Int, _ bytes: [UInt8]) throws {
            let octal = bytes.map { "\\0" + String($0, radix: 8) }.joined()
            try shell("printf '%b' '\(octal)' | dd of=\(path) bs=1 seek=\(offset) conv=notrunc status=none")
        }

        func message(_ path: String) -> String {
            let directory = URL(filePath: path).deletingLastPathComponent().path().dropLast()
            return switch self {
            case .garbage, .cutOff: "the registry \(path) is damaged or not a database ("
            case .newerSchema:
                "the registry \(path) has schema 99, and this podreap knows schemas up to 4; use the podreap that wrote it, "
                    + "or a later one\n"
            case .foreign: "\(path) is another program's database; give the path of podreap's registry\n"
            case .readOnlyFile:
                "\(path) cannot be written by this user; run podreap as the registry's owner, or give it to this user\n"
            case .readOnlyDirectory:
                "\(directory) cannot be written by this user; run podreap as the registry's owner, or give it to this user\n"
            case .directory: "the registry \(path) is not a regular file; give the path of a file\n"
            case .noDirectory:
                "the registry \(path) cannot be made: there is no directory \(directory); make it, owned by podreap's user\n"
            }
        }
    }

    @Test(arguments: Damage.allCases)
    func isSaidAndLeftAlone(_ damage: Damage) throws {
        try withPodNode { node in
            let pod = try node.pod()
            let directory = "\(node.library)/registry"
            let path = "\(directory)/podreap.sqlite"
            try shell("mkdir \(directory) && chown \(PodNode.user):\(PodNode.user) \(directory)")
            #expect(try node.register(pod, options: ["--registry", path]).status == 0)
            try damage.cause(path)
            let content = try? Data(contentsOf: URL(filePath: path))
            let traces = pod.leftovers()
            let document = try node.write(pod.registration, as: "document.json")
            for arguments in [
                ["ps"], ["inspect", pod.id], ["plan", pod.id], ["stop", pod.id], ["remove", pod.id],
                ["register", document],
            ] {
                expectFailure(try node.podreap(arguments + ["--registry", path]), 3, damage.message(path))
            }
            #expect((try? Data(contentsOf: URL(filePath: path))) == content)
            #expect(pod.leftovers() == traces)
        }
    }

    /// The option counts before the variable.
    @Test func fromTheEnvironmentOrTheCommandLine() throws {
        try withPodNode { node in
            let path = "\(node.library)/other.sqlite"
            #expect(try node.podreap(["ps"], environment: ["PODREAP_REGISTRY=\(path)"]).status == 0)
            #expect(FileManager.default.fileExists(atPath: path))
            let given = try node.podreap(["ps", "--registry", path], environment: ["PODREAP_REGISTRY=/nonexistent/x"])
            #expect(given.status == 0)
            expectFailure(
                try node.podreap(["ps"], environment: ["PODREAP_REGISTRY=/nonexistent/x"]), 3,
                "the registry /nonexistent/x cannot be made: there is no directory /nonexistent; ")
        }
    }

    /// Every command says that a log of SQLite's was damaged, until somebody has removed what was kept of it.
    @Test func aDamagedLogIsSaidByEveryCommand() throws {
        try withPodNode { node in
            let pod = try node.pod()
            #expect(try node.register(pod).status == 0)
            let kept = node.registryPath + "-wal-damaged"
            try Data().write(to: URL(filePath: kept))
            let warning = "the registry's log was found damaged, and is kept in"
            for command in [["ps"], ["inspect", pod.id], ["plan", pod.id], ["explain", pod.id], ["history"], ["gc"]] {
                #expect(try node.podreap(command).errors.contains("podreap: warning: \(warning)"), "\(command)")
            }
            #expect(try node.podreap(["doctor"]).output.contains(warning))
            #expect(try node.podreap(["remove", pod.id]).errors.contains(warning))
            try FileManager.default.removeItem(atPath: kept)
            #expect(try !node.podreap(["ps"]).errors.contains(warning))
        }
    }

    /// Another process holds the registry's lock for a moment: it is waited for just so long, however late waits may end where
    /// podreap comes from.
    @Test func lockedForAMoment() throws {
        try withPodNode { node in
            #expect(try node.register(node.pod()).status == 0)
            var start = ProgramStart(
                "/usr/bin/env",
                [
                    "python3", "-c",
                    """
                    import sqlite3, time
                    held = sqlite3.connect("\(node.registryPath)", isolation_level=None)
                    held.execute("BEGIN IMMEDIATE")
                    print("held", flush=True)
                    time.sleep(1)
                    held.execute("ROLLBACK")
                    """,
                ])
            (start.environment, start.output, start.input) = (["PATH=/usr/bin:/bin"], .read, 0)
            let holder = try Program(start)
            #expect(try holder.readLine() == "held\n")
            let document = try node.write(try node.pod().registration, as: "second.json")
            let podreap = try withTimerSlack(nanoseconds: 1_000_000_000_000) {
                try node.start(["register", document])
            }
            #expect(try podreap.end(seconds: 30).status == 0)
        }
    }
}
