import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// How much of it: `make load` sets PODREAP_LOAD=full, which takes many minutes.
enum Load {
    static let isFull = ProcessInfo.processInfo.environment["PODREAP_LOAD"] == "full"
    /// Pods that are removed at once.
    static let pods = isFull ? 100 : 12
    /// Removals one after the other, over which memory stays flat.
    static let removals = isFull ? 2000 : 30
    /// Pods whose removal a killed daemon leaves.
    static let killed = isFull ? 50 : 6
    static let connections = 1000
    /// Calls at once over several connections, and the pods that they are for.
    static let (callers, clients, called) = isFull ? (5000, 10, 300) : (200, 4, 20)
}

@Suite(.serialized) struct LoadTests {
    /// What a daemon holds that its work must give back.
    private struct Held: CustomStringConvertible {
        /// Those of SQLite's connections apart: they are opened as callers meet, and kept, up to a bound.
        let descriptors: Int
        let registryDescriptors: Int
        /// Its helpers, their launchers and whatever else descends from it.
        let processes: Int
        let zombies: Int
        let kilobytes: Int

        init(_ pid: Int32) throws {
            let directory = "/proc/\(pid)/fd"
            let open = try FileManager.default.contentsOfDirectory(atPath: directory).map {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\($0)")) ?? ""
            }
            registryDescriptors = open.count { $0.contains("registry.sqlite") }
            descriptors = open.count - registryDescriptors
            let states = Self.descendants(pid).compactMap { child -> Character? in
                let status = (try? String(contentsOfFile: "/proc/\(child)/status", encoding: .utf8)) ?? ""
                return status.firstMatch(of: /State:\s+(\w)/)?.1.first
            }
            processes = states.count
            zombies = states.count { $0 == "Z" }
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            kilobytes = Int(status.firstMatch(of: /VmRSS:\s+(\d+) kB/)?.1 ?? "0") ?? 0
        }

        private static func descendants(_ pid: Int32) -> [Int32] {
            let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
            return threads.flatMap { thread -> [Int32] in
                let path = "/proc/\(pid)/task/\(thread)/children"
                let children = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
                return children.split(separator: " ").compactMap { Int32($0) }.flatMap { [$0] + descendants($0) }
            }
        }

        func expectNoMore(than before: Held) {
            #expect(descriptors <= before.descriptors, "\(self); before: \(before)")
            // Five connections with a file and a log each, their shared memory, and the file of locks.
            #expect(registryDescriptors <= 12, "\(self); before: \(before)")
            #expect(processes <= before.processes, "\(self); before: \(before)")
            #expect(zombies == 0, "\(self)")
        }

        var description: String {
            "\(descriptors) descriptors and \(registryDescriptors) of the registry, \(processes) processes, \(zombies) zombies, \(kilobytes) kB"
        }
    }

    /// Callers that vanish, call twice and have no time: each answer is right, and nothing is left.
    @Test func manyAtOnce() async throws {
        try await withDaemon { daemon, _ in
            func pods(_ count: Int) throws -> [SamplePod] {
                try (0..<count).map {
                    try daemon.pod("pod-\($0)", [Workload(), Workload(), Workload(.ignoresTerm)])
                }
            }
            // As many helpers as there may be, and the daemon's threads, are there from here on.
            let first = try pods(8)
            let warm = try daemon.calls([first.map { Call("RemovePodSandbox", ["pod_sandbox_id": $0.id]) }])
            #expect(warm.allSatisfy { $0.code == "OK" }, "\(warm)")
            let before = try Held(daemon.program.pid)

            let pods = try pods(Load.pods)
            var calls: [Call] = []
            for (number, pod) in pods.enumerated() {
                let id = ["pod_sandbox_id": pod.id]
                switch number % 3 {
                case 0: calls += [Call("RemovePodSandbox", id), Call("RemovePodSandbox", id)]
                case 1: calls += [Call("RemovePodSandbox", id, timeout: 0.02), Call("RemovePodSandbox", id)]
                default: calls += [Call("RemovePodSandbox", id, cancel: 0.005)]
                }
            }
            let answers = try daemon.calls([calls], seconds: 300)
            for (number, answer) in answers.enumerated() {
                #expect(["OK", "DEADLINE_EXCEEDED", "CANCELLED"].contains(answer.code), "\(number): \(answer)")
            }
            let deadline = ContinuousClock.now + .seconds(120)
            while try daemon.call("ListPodSandbox").ids("items").count > 0 { try #require(.now < deadline) }
            for pod in pods { #expect(pod.leftovers() == []) }
            try Held(daemon.program.pid).expectNoMore(than: before)
        }
    }

    /// Many callers of each of many pods, over several connections: all are answered.
    @Test func manyCallers() async throws {
        try await withDaemon("[removal]\ntimeout = 600") { daemon, node in
            let ids = (0..<Load.called).map { "pod-\($0)" }
            let documents = try ids.map { id in
                let directory = node.directory(ofSandbox: id)
                try shell("mkdir -p \(directory)/a/b; : >\(directory)/a/f")
                return try node.document(id, []).replacing(
                    #""shm":"\#(directory.replacing("/", with: #"\/"#))\/shm","#, with: "")
            }
            let file = try node.write(documents.joined(separator: "\n"), as: "documents")
            #expect(try node.podreap(["register", file]).status == 0)
            let calls = (0..<Load.callers).map { number in
                Call("RemovePodSandbox", ["pod_sandbox_id": ids[number % ids.count]], timeout: 300)
            }
            let part = Load.callers / Load.clients
            let answers = try await withThrowingTaskGroup(of: [String].self) { group in
                for client in 0..<Load.clients {
                    let mine = Array(calls[client * part..<(client + 1) * part])
                    group.addTask {
                        try await onThread {
                            Result { try daemon.calls([mine], seconds: 400).map { "\($0.code) \($0.message)" } }
                        }.get()
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            let wrong = answers.filter { $0 != "OK " }
            #expect(answers.count == Load.callers && wrong.isEmpty, "\(wrong.count): \(wrong.prefix(3))")
            for id in ids { #expect(!FileManager.default.fileExists(atPath: node.directory(ofSandbox: id))) }
            #expect(try daemon.call("ListPodSandbox").ids("items") == [])
        }
    }

    /// Clients that connect while the daemon does nothing: none is turned away.
    @Test func manyConnectAtOnce() async throws {
        try await withDaemon { daemon, _ in
            daemon.program.kill(SIGSTOP)
            let script = """
                import socket, sys
                held = []
                for _ in range(1000):
                    peer = socket.socket(socket.AF_UNIX)
                    peer.setblocking(False)
                    peer.connect("\(daemon.socket)")
                    held.append(peer)
                print("held", flush=True)
                sys.stdin.read()
                """
            var start = ProgramStart("/usr/bin/env", ["python3", "-c", script])
            start.output = .read
            let clients = try Program(start)
            let line = try clients.readLine()
            daemon.program.kill(SIGCONT)
            #expect(line == "held\n")
            #expect(try daemon.call("Version").code == "OK")
            clients.kill()
            _ = try clients.wait(seconds: 5)
        }
    }

    /// Real pods, ten at once, one batch after the other.
    @Test func nothingGrows() async throws {
        try await withDaemon { daemon, node in
            func round() throws {
                let pods = try (0..<10).map { try daemon.pod("pod-\($0)") }
                let answers = try daemon.calls([pods.map { Call("RemovePodSandbox", ["pod_sandbox_id": $0.id]) }])
                try #require(answers.allSatisfy { $0.code == "OK" }, "\(answers)")
                for pod in pods { try #require(pod.leftovers() == []) }
            }
            for _ in 0..<max(3, Load.removals / 100) { try round() }
            let before = try Held(daemon.program.pid)
            for _ in 0..<(Load.removals / 10) { try round() }
            let after = try Held(daemon.program.pid)
            after.expectNoMore(than: before)
            #expect(after.kilobytes < before.kilobytes + 8192, "\(after); before: \(before)")
            if Load.isFull { print("\(Load.removals) removals: \(after); before: \(before)") }
        }
    }

    /// What speaks no HTTP/2, or no protobuf, or too much; and connections that say nothing.
    @Test func hostileClients() async throws {
        try await withDaemon { daemon, node in
            let script = """
                import random, socket, sys, time
                import grpc
                path = "\(daemon.socket)"
                preface = b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n"
                random.seed(7)
                for number in range(200):
                    peer = socket.socket(socket.AF_UNIX)
                    peer.connect(path)
                    garbage = random.randbytes(random.randrange(1, 4096))
                    try:
                        peer.sendall(garbage if number % 2 else preface + garbage)
                    except OSError:
                        pass
                    peer.close()
                channel = grpc.insecure_channel("unix:" + path)
                name = "/runtime.v1.RuntimeService/RemovePodSandbox"
                same = lambda data: data
                codes = []
                for data in [b"\\x0a\\xff\\xff\\xff\\xff", b"\\xff" * 64, b"\\x0a\\x02\\xc3\\x28", b"x" * (8 << 20)]:
                    try:
                        channel.unary_unary(name, same, same)(data, timeout=10)
                        codes.append("OK")
                    except grpc.RpcError as error:
                        codes.append(error.code().name)
                for name in ["/runtime.v1.RuntimeService/Nothing", "/no.Service/Method"]:
                    try:
                        channel.unary_unary(name, same, same)(b"", timeout=10)
                        codes.append("OK")
                    except grpc.RpcError as error:
                        codes.append(error.code().name)
                print(" ".join(codes))
                import resource
                resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
                idle = []
                for _ in range(\(Load.connections)):
                    peer = socket.socket(socket.AF_UNIX)
                    peer.connect(path)
                    idle.append(peer)
                time.sleep(0.5)
                version = grpc.insecure_channel("unix:" + path, options=[("grpc.use_local_subchannel_pool", 1)])
                version.unary_unary("/runtime.v1.RuntimeService/Version", same, same)(b"", timeout=10)
                print("served beside", len(idle))
                """
            _ = try daemon.call("Version")
            let file = try node.write(script, as: "hostile.py")
            let output = try shell("/usr/bin/python3 \(file)", seconds: 100)
            let codes = output.split(separator: "\n")[0].split(separator: " ")
            #expect(codes.prefix(3).allSatisfy { $0 == "INVALID_ARGUMENT" }, "\(output)")
            // The stream is reset while the client still sends, and it may see that first.
            #expect(["RESOURCE_EXHAUSTED", "CANCELLED"].contains(codes[3]), "\(output)")
            #expect(codes.suffix(2).allSatisfy { $0 == "UNIMPLEMENTED" }, "\(output)")
            #expect(output.contains("served beside \(Load.connections)"))
            let pod = try daemon.pod()
            #expect(try daemon.call("RemovePodSandbox", ["pod_sandbox_id": pod.id]).code == "OK")
            #expect(pod.leftovers() == [])
        }
    }
}
