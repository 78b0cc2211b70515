import Foundation
import HelperClient
import HelperProtocol
import Testing

/// The pool with real small programs in the helper's place.
@Suite struct HelperStartTests {
    static let times = HelperLimits(start: .milliseconds(500), margin: .milliseconds(200))

    private func failure(_ executable: String, _ arguments: [String] = []) async -> HelperError? {
        let pool = HelperPool(.program(executable, arguments: arguments), limits: Self.times)
        do {
            _ = try await pool.welcome()
            return nil
        } catch {
            return error
        }
    }

    /// A program that sends one packet as soon as it starts, and then does what `rest` says.
    private func failure(answering reply: Reply, then rest: String = "exec /bin/cat") async throws -> HelperError? {
        let file = try PacketFile(reply)
        return await failure("/bin/sh", ["-c", "/bin/cat \(file.path) 1>&0; \(rest)"])
    }

    @Test func missing() async {
        #expect(await failure("/nonexistent/podreap-helper") == .missing("/nonexistent/podreap-helper"))
        #expect(await failure("/etc/passwd/x") == .missing("/etc/passwd/x"))
    }

    @Test(arguments: [("/etc/passwd", EACCES), ("/etc", EACCES)])
    func notExecutable(_ path: String, _ errno: Int32) async {
        #expect(await failure(path) == .notExecutable(path, errno: errno))
    }

    @Test func endsAtOnce() async {
        #expect(await failure("/bin/true") == .endedAtStart("/bin/true", .exited(0)))
        #expect(await failure("/bin/false") == .endedAtStart("/bin/false", .exited(1)))
        #expect(await failure("/bin/sh", ["-c", "kill -SEGV $$"]) == .endedAtStart("/bin/sh", .signalled(SIGSEGV)))
    }

    @Test func answersNothing() async {
        #expect(await failure("/bin/cat") == .startTimedOut("/bin/cat", Self.times.start))
    }

    @Test func answersNonsense() async {
        #expect(await failure("/bin/sh", ["-c", "/bin/cat 1>&0"]) == .malformedReply("unknownKind"))
        #expect(await failure("/bin/sh", ["-c", "printf x 1>&0; exec /bin/cat"]) == .malformedReply("truncated"))
    }

    @Test func answersAnotherRequest() async throws {
        let reply = Reply(kind: .unmount, requestID: 1, outcome: .done)
        #expect(try await failure(answering: reply) == .malformedReply("it belongs to no request"))
    }

    @Test func lacksCapabilities() async throws {
        var welcome = PacketFile.welcome
        welcome.missing = 1 << 21 | 1 << 5
        let error = try await failure(
            answering: Reply(kind: .hello, requestID: 1, outcome: .done, facts: .welcome(welcome)))
        guard case .missingCapabilities(.program("/bin/sh", _), let missing) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(missing == 1 << 21 | 1 << 5)
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("cap_kill, cap_sys_admin"))
        #expect(
            text.contains(
                "setcap cap_sys_admin,cap_dac_override,cap_fowner,cap_kill,cap_setuid,cap_setgid,cap_setpcap=p"))
    }

    /// The refusal is sent without reading Hello, and the helper is gone by then: its end of the socket is reset.
    @Test func refusesToStart() async throws {
        let refusal = Reply(
            kind: .hello, requestID: 0, outcome: .refused(.policyMalformed, detail: Array("line 3".utf8)))
        let error = try await failure(answering: refusal, then: "exit 1")
        #expect(error == .startRefused(.policyMalformed, detail: "line 3"))
        #expect(error.map { "\($0)" } == "the helper refuses to start: helper.conf is wrong (line 3)")
    }

    @Test func speaksOtherVersions() async throws {
        let range = VersionRange(minimum: 7, maximum: 9)
        let reply = Reply(kind: .hello, requestID: 1, outcome: .unsupported(range))
        #expect(try await failure(answering: reply) == .unsupportedVersion(range))
    }

    @Test func welcomeIsRead() async throws {
        let file = try PacketFile(PacketFile.greeting)
        let script = "/bin/cat \(file.path) 1>&0; exec /bin/cat"
        let pool = HelperPool(.program("/bin/sh", arguments: ["-c", script]), limits: Self.times)
        #expect(try await pool.welcome() == PacketFile.welcome)
    }

    @Test func diesInTheMiddleEachTime() async throws {
        let file = try PacketFile(PacketFile.greeting)
        // Two packets are read, Hello and the request, and then it ends.
        let script =
            "/bin/cat \(file.path) 1>&0; echo >>\(file.path).starts; exec /bin/dd bs=4096 count=2 of=/dev/null status=none"
        let pool = HelperPool(.program("/bin/sh", arguments: ["-c", script]), limits: Self.times)
        await #expect(throws: HelperError.died(.runtimeList, .exited(0))) {
            try await pool.call(.runtimeList(runtime: 0), deadline: .seconds(1))
        }
        // Replaced twice, and not for ever.
        #expect(try file.starts == 3)
    }

    /// Two wait for work when both are killed: neither is asked, so even what may not be repeated is done.
    @Test func killedWhileItWaitsForWork() async throws {
        let file = try PacketFile(PacketFile.greeting)
        let script =
            "/bin/cat \(file.path) 1>&0; echo >>\(file.path).starts; echo $$ >>\(file.path).pids; exec /bin/cat"
        let pool = HelperPool(.program("/bin/sh", arguments: ["-c", script]), limits: Self.times)
        pool.warm(2)
        while file.pids.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
        for pid in file.pids {
            kill(pid, SIGKILL)
            while try !isZombie(pid) { try await Task.sleep(for: .milliseconds(5)) }
        }
        let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("a".utf8)))
        // The third is another: it lives, and does not answer.
        await #expect(throws: HelperError.noReply(.runtimeKill, .milliseconds(300))) {
            try await pool.call(
                .runtimeKill(target, .act(only: nil), signal: 15, all: false), deadline: .milliseconds(100))
        }
        #expect(try file.starts == 3)
    }

    @Test func aSignalIsNotSentTwice() async throws {
        let file = try PacketFile(PacketFile.greeting)
        let script =
            "/bin/cat \(file.path) 1>&0; echo >>\(file.path).starts; exec /bin/dd bs=4096 count=2 of=/dev/null status=none"
        let pool = HelperPool(.program("/bin/sh", arguments: ["-c", script]), limits: Self.times)
        let target = RuntimeTarget(runtime: 0, id: try ContainerID(Array("a".utf8)))
        await #expect(throws: HelperError.died(.runtimeKill, .exited(0))) {
            try await pool.call(.runtimeKill(target, .act(only: nil), signal: 15, all: false), deadline: .seconds(1))
        }
        #expect(try file.starts == 1)
    }

    @Test func hangs() async throws {
        let file = try PacketFile(PacketFile.greeting)
        let script = "/bin/cat \(file.path) 1>&0; exec /bin/cat"
        let pool = HelperPool(.program("/bin/sh", arguments: ["-c", script]), limits: Self.times)
        let start = ContinuousClock.now
        await #expect(throws: HelperError.noReply(.runtimeList, .milliseconds(300))) {
            try await pool.call(.runtimeList(runtime: 0), deadline: .milliseconds(100))
        }
        #expect((.milliseconds(300)...(.seconds(3))).contains(ContinuousClock.now - start))
    }

    @Test func noChildIsLeft() async throws {
        for _ in 0..<5 { _ = await failure("/bin/true") }
        // Reaping happens behind the answer; give it the moment it takes.
        for _ in 0..<100 where try zombies() > 0 { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try zombies() == 0)
    }

    private func isZombie(_ pid: pid_t) throws -> Bool {
        try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8).contains(") Z ")
    }

    private func zombies() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { entry in
            guard Int(entry) != nil, let stat = try? String(contentsOfFile: "/proc/\(entry)/stat", encoding: .utf8),
                let fields = stat.components(separatedBy: ") ").last?.split(separator: " ")
            else { return false }
            return fields[0] == "Z" && fields[1] == "\(getpid())" && stat.contains("(true)")
        }.count
    }
}

/// A packet in a file, for a shell script to send.
final class PacketFile {
    let path: String

    init(_ reply: Reply) throws {
        var packet: [UInt8] = []
        reply.encode(into: &packet)
        path = FileManager.default.temporaryDirectory.appendingPathComponent("podreap-\(UUID().uuidString)").path
        try Data(packet).write(to: URL(fileURLWithPath: path))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        try? FileManager.default.removeItem(atPath: path + ".starts")
        try? FileManager.default.removeItem(atPath: path + ".pids")
    }

    /// How many lines the script has written beside the packet.
    var starts: Int {
        get throws { try Data(contentsOf: URL(fileURLWithPath: path + ".starts")).count }
    }

    /// The process ids that the script has written beside the packet.
    var pids: [pid_t] {
        let text = (try? String(contentsOfFile: path + ".pids", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { pid_t($0) }
    }

    static let welcome = Welcome(version: 1, release: InlineBytes(), missing: 0, roots: [], runtimes: [])
    static let greeting = Reply(kind: .hello, requestID: 1, outcome: .done, facts: .welcome(welcome))
}
