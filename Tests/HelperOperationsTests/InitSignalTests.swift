import Glibc
import HelperProtocol
import Testing

@testable import HelperOperations

/// Whom a signal that needs no runtime goes to.
@Suite struct InitSignalTests {
    private func recorded(_ state: String) throws -> InitProcess? {
        InitProcess(state: Array(state.utf8), of: try ContainerID(Array("pod-app".utf8)))
    }

    @Test func whatRuncRecords() throws {
        let state = #"{"id":"pod-app","init_process_pid":4242,"init_process_start":123456789,"created":"2026"}"#
        let process = try #require(try recorded(state))
        #expect(process.pid == 4242 && process.startTime == 123_456_789)
    }

    /// The beginnings of saved files of runc 1.1.5 and 1.5.1; no version between has another.
    @Test(arguments: [
        #"{"id":"pod-app","init_process_pid":633,"init_process_start":289226,"created":"2026-11-25T19:26:20.973974116Z","config":{"no_pivot_root":false,"#,
        #"{"id":"pod-app","init_process_pid":633,"init_process_start":289226,"created":"2026-11-25T19:26:20.973974116Z","config":{"rootfs":"/run"#,
    ]) func ofEachVersion(_ state: String) throws {
        #expect(try recorded(state)?.pid == 633 && recorded(state)?.startTime == 289_226)
    }

    @Test(arguments: [
        "", "{", #"{"id":"pod-app""#, #"{"id":"pod-app","init_process_pid":4242"#,
        #"{"id":"pod-app","init_process_pid":4242,"init_process_start":12"#,
        // Another's, or one that has no process.
        #"{"id":"pod-app2","init_process_pid":4242,"init_process_start":12,"#,
        #"{"id":"pod-ap","init_process_pid":4242,"init_process_start":12,"#,
        #"{"id":"pod-app","init_process_pid":0,"init_process_start":12,"#,
        // No pid: these would be a process group, or everything.
        #"{"id":"pod-app","init_process_pid":-1,"init_process_start":12,"#,
        #"{"id":"pod-app","init_process_pid":2147483648,"init_process_start":12,"#,
        #"{"id":"pod-app","init_process_pid":99999999999999999999,"init_process_start":12,"#,
        #"{"id":"pod-app","init_process_pid":"4242","init_process_start":12,"#,
        #"{"id":"pod-app","init_process_pid":4242,"init_process_start":1.2,"#,
        // A form that runc does not write, and crun's.
        #"{ "id": "pod-app", "init_process_pid": 4242, "init_process_start": 12, "#,
        #"{"pid":4242,"process-start-time":12,"#,
        // What a container may have chosen stands behind it, as in its labels.
        #"{"config":{"labels":["{\"id\":\"pod-app\",\"init_process_pid\":1,\"init_process_start\":1,"]}}"#,
    ]) func allElseIsTheRuntimes(_ state: String) throws {
        #expect(try recorded(state) == nil)
    }

    private func status(_ name: String, _ state: Character, _ start: String = "777") -> InitProcess? {
        let numbers = (4...21).map(String.init).joined(separator: " ")
        return InitProcess(stat: Array("4242 (\(name)) \(state) \(numbers) \(start) 23 24\n".utf8), 4242)
    }

    @Test(arguments: ["sleep", "a b", ") S 1 (", "(", ""]) func theNameMayBeAnything(_ name: String) {
        for state: Character in ["R", "S"] { #expect(status(name, state)?.startTime == 777) }
    }

    @Test(arguments: ["D", "T", "t", "Z", "X", "I"] as [Character]) func whatIsFrozenStoppedOrDeadIsTheRuntimes(
        _ state: Character
    ) {
        #expect(status("sleep", state) == nil)
    }

    @Test(arguments: [
        "", "4242", "4242 (sleep", "4242 (sleep)", "4242 (sleep) S", "4242 (sleep) S 1 2 3 ", "4242 (sleep) SS 1",
    ])
    func damagedStatus(_ stat: String) {
        #expect(InitProcess(stat: Array(stat.utf8), 4242) == nil)
    }

    /// What the kernel says of this very process.
    @Test func itself() throws {
        let stat = try Descriptor.processStatus(getpid())
        let process = try #require(InitProcess(stat: stat, getpid()))
        let fields = String(decoding: stat, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
        #expect(process.startTime == UInt64(fields[19]))
    }
}
