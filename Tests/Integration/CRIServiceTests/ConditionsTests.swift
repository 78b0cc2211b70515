import Foundation
import SamplePod
import Synchronization
import TestNode
import TestPods
import Testing

/// Everything at once that can happen to a registry and its locks: thousands of callers, some with little time and some that go away; daemons
/// and command lines that are stopped and killed; a disk that is full now and then; root beside the unprivileged user; and paths through links.
///
/// Each pod's removal calls a program that notices a second one for the same pod beside itself.
@Suite(.serialized) struct ConditionsTests {
    /// Callers of one pod, and of different ones.
    private static let (callers, pods) = Load.isFull ? (5000, 5000) : (200, 60)
    private static let batch = Load.isFull ? 250 : 20

    @Test func nothingIsLostAndNobodyIsTwo() async throws {
        try await withPodNode { node in
            let field = try Field(node)
            defer {
                // Before the disk goes: what fills it would fill another.
                field.endDisorder()
                field.clear()
            }
            let ids = (0..<Self.pods).map { "pod-\($0)" }
            let (kept, one) = ((0..<(Self.pods / 10)).map { "kept-\($0)" }, "the-one")
            let began = ContinuousClock.now
            try field.start()
            field.beginDisorder()
            for part in (ids + kept + [one]).inParts(of: Self.batch) { try field.register(part) }
            #expect(field.acknowledged.count == ids.count + kept.count + 1)
            // All callers of the one wait for whoever holds it.
            let holder = try LockHolderProcess(field.direct, one)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<(Self.callers / Self.batch) {
                    group.addTask { _ = await onThread { field.call([String](repeating: one, count: Self.batch)) } }
                }
                for isRoot in [false, true] {
                    group.addTask { _ = await onThread { field.remove([one], isRoot, throughLink: isRoot) } }
                }
                group.addTask {
                    await onThread {
                        Thread.sleep(forTimeInterval: Load.isFull ? 20 : 3); try? holder.end()
                    }
                }
            }
            let remaining = Shared(Set(ids))
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<5 {
                    group.addTask {
                        await onThread {
                            while true {
                                let some = remaining.value.withLock { Array($0.shuffled().prefix(Self.batch)) }
                                if some.isEmpty { return }
                                let gone =
                                    worker < 3
                                    ? field.call(some)
                                    : field.remove(Array(some.prefix(20)), worker == 4, throughLink: worker == 3)
                                remaining.value.withLock { $0.subtract(gone) }
                            }
                        }
                    }
                }
            }
            field.endDisorder()
            #expect(try field.daemon().call("RemovePodSandbox", ["pod_sandbox_id": one]).code == "OK")

            #expect(try field.violations() == "")
            for id in ids + [one] {
                #expect(!FileManager.default.fileExists(atPath: node.directory(ofSandbox: id)), "\(id) is left")
            }
            for id in kept { #expect(FileManager.default.fileExists(atPath: node.directory(ofSandbox: id))) }
            #expect(try field.registered() == Set(kept))
            let (threads, kilobytes) = field.most
            #expect(threads < 100 && kilobytes < 400_000, "\(threads) threads, \(kilobytes) kB")
            #expect(try field.locks() == 0)
            print(
                """
                conditions: \(field.calls.value.withLock { $0 }) calls, \(field.counts) in \(ContinuousClock.now - began); \
                at most \(threads) threads and \(kilobytes) kB of the daemon
                """)
        }
    }
}

/// A registry on a small disk, and all that happens to it.
private final class Field: Sendable {
    let node: PodNode
    /// Two paths of the registry.
    let direct = "/mnt/load-disk/registry.sqlite"
    let linked = "/mnt/load-link/registry.sqlite"
    let calls = Shared(0)
    private let acks = Shared(Set<String>())
    private let running = Shared<Daemon?>(nil)
    private let programs = Shared<[ObjectIdentifier: Program]>([:])
    private let disorder = Shared((isWanted: false, isOver: true))
    private let peak = Shared((threads: 0, kilobytes: 0))
    private let events = Shared<[String: Int]>([:])
    private let hook = "/mnt/load-hook/program"

    init(_ node: PodNode) throws {
        self.node = node
        let script = """
            #!/bin/sh
            mkdir /mnt/load-hook/at-work/$PODREAP_SANDBOX || echo $PODREAP_SANDBOX >>/mnt/load-hook/violations
            sleep 0.01
            rmdir /mnt/load-hook/at-work/$PODREAP_SANDBOX
            """
        try shell(
            """
            rm -rf /mnt/load-hook; mkdir -p /mnt/load-disk /mnt/load-hook/at-work
            mount -t tmpfs -o size=24m,mode=755 disk /mnt/load-disk
            chown \(PodNode.user):\(PodNode.user) /mnt/load-disk
            ln -sfn /mnt/load-disk /mnt/load-link
            touch /mnt/load-hook/violations; chmod -R 777 /mnt/load-hook
            cat >\(hook) <<'END'
            \(script)
            END
            chmod 755 \(hook)
            """)
    }

    func clear() {
        _ = try? running.value.withLock { try $0?.end() }
        _ = try? shell("umount -l /mnt/load-disk; rm -rf /mnt/load-link /mnt/load-hook")
    }

    var acknowledged: Set<String> { acks.value.withLock { $0 } }
    var most: (threads: Int, kilobytes: Int) { peak.value.withLock { $0 } }
    var counts: [String: Int] { events.value.withLock { $0 } }
    private func count(_ event: String) { events.value.withLock { $0[event, default: 0] += 1 } }

    // MARK: The daemon

    func start() throws {
        let daemon = try Daemon(
            node,
            settings:
                "[removal]\nbefore-netns = [\"\(hook)\"]\nstop-grace = 1\n[daemon]\nsocket = \"\(socket)\"\nlog = \"error\"",
            environment: ["PODREAP_REGISTRY=\(linked)"], waits: false)
        running.value.withLock { $0 = daemon }
    }

    private var socket: String { "\(node.library)/podreap.sock" }

    /// The one that runs, once it serves.
    func daemon() throws -> Daemon {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            if let daemon = running.value.withLock({ $0 }), try daemon.program.wait(seconds: 0) == nil,
                (try? daemon.call("Version", timeout: 10).code) == "OK"
            {
                return daemon
            }
            guard .now < deadline else { throw PodNodeFailure("no daemon serves") }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    // MARK: Disorder

    func beginDisorder() {
        disorder.value.withLock { $0 = (true, false) }
        Thread.detachNewThread { [self] in
            while disorder.value.withLock({ $0.isWanted }) {
                watch(seconds: .random(in: 0.1...1))
                step()
            }
            disorder.value.withLock { $0.isOver = true }
        }
    }

    func endDisorder() {
        disorder.value.withLock { $0.isWanted = false }
        while !disorder.value.withLock({ $0.isOver }) { Thread.sleep(forTimeInterval: 0.01) }
    }

    private func step() {
        let daemon = running.value.withLock { $0 }
        switch Int.random(in: 0..<8) {
        case 0:
            count("daemon killed")
            daemon?.program.kill()
            _ = try? daemon?.program.wait(seconds: 5)
            try? start()
        case 1:
            count("daemon stopped")
            daemon?.program.kill(SIGSTOP)
            watch(seconds: .random(in: 0.1...0.6))
            daemon?.program.kill(SIGCONT)
        case 2, 3:
            guard let program = programs.value.withLock({ $0.values.randomElement() }) else { return }
            count("command line killed")
            program.kill()
        case 4:
            guard let program = programs.value.withLock({ $0.values.randomElement() }) else { return }
            count("command line stopped")
            program.kill(SIGSTOP)
            watch(seconds: .random(in: 0.1...0.6))
            program.kill(SIGCONT)
        default:
            count("disk full")
            _ = try? shell("dd if=/dev/zero of=/mnt/load-disk/fill bs=64k 2>/dev/null || true")
            watch(seconds: .random(in: 0.1...0.5))
            _ = try? shell("rm -f /mnt/load-disk/fill")
        }
    }

    /// Sees how much the daemon takes meanwhile.
    private func watch(seconds: Double) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        repeat {
            if let pid = running.value.withLock({ $0?.program.pid }),
                let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            {
                let threads = Int(status.firstMatch(of: /Threads:\s+(\d+)/)?.1 ?? "0") ?? 0
                let kilobytes = Int(status.firstMatch(of: /VmRSS:\s+(\d+) kB/)?.1 ?? "0") ?? 0
                peak.value.withLock { $0 = (max($0.threads, threads), max($0.kilobytes, kilobytes)) }
            }
            Thread.sleep(forTimeInterval: 0.05)
        } while .now < deadline
    }

    // MARK: Callers

    /// Registers until each is acknowledged.
    func register(_ ids: [String]) throws {
        for id in ids {
            try shell("mkdir -p \(node.directory(ofSandbox: id))/a/b; : >\(node.directory(ofSandbox: id))/a/f")
        }
        var missing = ids
        let deadline = ContinuousClock.now + .seconds(120)
        while !missing.isEmpty {
            let documents = try missing.map { id in
                // A pin that is not there: what is to be called before it goes is called all the same.
                let text = try node.document(id, [])
                let pin = #""namespaces":{"network":"\#(node.pin(ofSandbox: id))"},"#
                return text.replacing("\"sandbox\":{", with: "\"sandbox\":{\(pin)")
                    .replacing(
                        #""shm":"\#(node.directory(ofSandbox: id).replacing("/", with: #"\/"#))\/shm","#, with: "")
            }
            let file = try node.write(documents.joined(separator: "\n"), as: "documents-\(UUID().uuidString)")
            let result = try node.podreap(["register", file], environment: ["PODREAP_REGISTRY=\(linked)"])
            let done = Set(result.output.split(separator: "\n").map(String.init))
            acks.value.withLock { $0.formUnion(done) }
            // One that was registered although nobody heard of it is told to be held already.
            let known = try registered()
            missing = missing.filter { !done.contains($0) && !known.contains($0) }
            acks.value.withLock { $0.formUnion(Set(ids).intersection(known)) }
            guard .now < deadline else { throw PodNodeFailure("cannot register: \(result)") }
        }
    }

    /// Asks the daemon: some with little time, some go away. Those that are removed by its word.
    func call(_ ids: [String]) -> [String] {
        calls.value.withLock { $0 += ids.count }
        let group = ids.map { id in
            switch Int.random(in: 0..<5) {
            case 0: Call("RemovePodSandbox", ["pod_sandbox_id": id], timeout: .random(in: 0.01...1))
            case 1: Call("RemovePodSandbox", ["pod_sandbox_id": id], cancel: .random(in: 0...0.01))
            default: Call("RemovePodSandbox", ["pod_sandbox_id": id], timeout: 60)
            }
        }
        guard let daemon = running.value.withLock({ $0 }), let answers = try? daemon.calls([group], seconds: 180) else {
            Thread.sleep(forTimeInterval: 0.1)
            return []
        }
        for answer in answers { count(answer.code) }
        return zip(ids, answers).filter { $1.code == "OK" }.map(\.0)
    }

    /// The same with the command line.
    func remove(_ ids: [String], _ isRoot: Bool, throughLink: Bool) -> [String] {
        calls.value.withLock { $0 += ids.count }
        var start = ProgramStart(
            isRoot ? "/usr/bin/env" : "/usr/bin/setpriv",
            (isRoot ? [] : ["--reuid=\(PodNode.user)", "--regid=\(PodNode.user)", "--clear-groups"])
                + ["/mnt/podreap", "remove", "--before-netns", hook, "--timeout", "\(Int.random(in: 1...60))"] + ids)
        start.environment = [
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "PODREAP_REGISTRY=\(throughLink ? linked : direct)",
            "PODREAP_HELPER=\(TestNode.helper)",
        ]
        start.input = 0
        guard let program = try? Program(start) else { return [] }
        programs.value.withLock { $0[ObjectIdentifier(program)] = program }
        defer { programs.value.withLock { $0[ObjectIdentifier(program)] = nil } }
        let exit = try? program.wait(seconds: 120)
        count("command line: \(exit.map { "\($0)" } ?? "runs")")
        return exit == .exited(0) ? ids : []
    }

    // MARK: What is there

    func registered() throws -> Set<String> {
        let result = try node.podreap(["ps", "--json"], environment: ["PODREAP_REGISTRY=\(direct)"])
        guard result.status == 0 else { throw PodNodeFailure("\(result)") }
        return Set(try result.lines().compactMap { ($0["sandbox"] as? [String: Any])?["id"] as? String })
    }

    func violations() throws -> String { try String(contentsOfFile: "/mnt/load-hook/violations", encoding: .utf8) }

    /// How many locks are held on the lock file, once the daemon has ended.
    func locks() throws -> Int {
        _ = try running.value.withLock { try $0?.end() }
        let attributes = try FileManager.default.attributesOfItem(atPath: direct + "-lock")
        let inode = attributes[.systemFileNumber] as? Int ?? 0
        let device = attributes[.systemNumber] as? Int ?? 0
        // As proc_locks(5) has it: another filesystem's file may have the same inode.
        let major = device >> 8 & 0xfff
        let minor = device & 0xff | device >> 12 & 0xfff00
        let file = String(format: " %02x:%02x:%ld ", major, minor, inode)
        return try String(contentsOfFile: "/proc/locks", encoding: .utf8).split(separator: "\n")
            .count { $0.contains("OFDLCK") && $0.contains(file) }
    }
}

private final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
}

extension [String] {
    fileprivate func inParts(of size: Int) -> [[String]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}

/// Blocks a thread that nobody else needs.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: body()) }
    }
}
