import FoundationEssentials
import Glibc
import SamplePod
import SandboxRegistry

// What does not remove pods: the helper by itself, the registry, `podreap ps`, and memory.

extension Measure {
    /// exchange.c starts a helper, or itself as a program that only answers, and asks it things.
    func measureHelper(_ results: inout Results) throws {
        let policy = "/etc/podreap/helper.conf"
        for _ in 0..<max(5, rounds) {
            for (who, command) in [("helper", [helper, policy]), ("C program", ["\(programs)/exchange", "--answer"])] {
                let process = try Child(["\(programs)/exchange"] + command)
                process.closeInput()
                let text = process.readAll()
                guard process.wait() == 0 else { throw Incomplete("exchange \(command): \(text)") }
                for line in text.split(separator: "\n") {
                    // Value, unit, and what it is.
                    let words = line.split(separator: " ", maxSplits: 2)
                    guard words.count == 3, let value = Double(words[0]) else { throw Incomplete("exchange: \(text)") }
                    results.add("helper", String(words[2]), who, String(words[1]), value)
                }
            }
        }
    }

    /// The time of one operation in a registry that has so many sandboxes already, on the disk.
    func measureRegistry(_ results: inout Results) throws {
        for count in sandboxes {
            // Filled in memory: each registration would wait for the disk.
            // A directory of root's own: root opens no registry where others may write.
            let memory = "/dev/shm/podreap-registries"
            try FileManager.default.createDirectory(atPath: memory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: memory) }
            let made = "\(memory)/registry-of-\(count).sqlite"
            try fill(try Registry(path: made), count)
            let path = "\(directory)/registry-of-\(count).sqlite"
            try FileManager.default.copyItem(atPath: made, toPath: path)
            try FileManager.default.removeItem(atPath: made)
            let registry = try Registry(path: path)
            let row = "\(count) sandboxes"
            for number in 0..<200 {
                let (sandbox, containers) = try record(count + number)
                let prefix = String(sandbox.id.prefix(12))
                results.add(
                    "registry", row, "register", "µs", try microseconds { try registry.register(sandbox, containers) })
                results.add(
                    "registry", row, "look up a prefix", "µs",
                    try microseconds {
                        guard try registry.resolve(prefix, .forActing)?.id == sandbox.id else {
                            throw Incomplete("\(prefix) is not found")
                        }
                    })
                let report = StoredReport(
                    sandboxID: sandbox.id, podName: sandbox.metadata.reservedName, startedAt: .now,
                    duration: .milliseconds(20),
                    outcome: "removed", body: Data(repeating: 0x20, count: 4096))
                results.add(
                    "registry", row, "remove", "µs",
                    try microseconds {
                        try registry.markRemoving(sandbox.id)
                        for container in containers where !container.isInfra {
                            try registry.forgetContainer(container.id)
                        }
                        try registry.forgetSandbox(sandbox.id, report: report)
                    })
            }
        }
    }

    private func microseconds(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        return (.now - start) / .microseconds(1)
    }

    /// An infra container and two more, with ids spread as random ones are.
    private func record(_ number: Int) throws -> (Sandbox, [Container]) {
        func hash(_ salt: UInt64) -> String {
            var state = (UInt64(number) &+ 1) &* 0x9e37_79b9_7f4a_7c15 &+ salt
            return (0..<4).map { _ in
                state ^= state >> 31
                state = state &* 0xbf58_476d_1ce4_e5b9 &+ salt
                let digits = String(state, radix: 16)
                return String(repeating: "0", count: 16 - digits.count) + digits
            }.joined()
        }
        let id = hash(1)
        let document = """
            {"version": 1, "sandbox": {"id": "\(id)", "runtime": "runc", "directory": "/run/pods/\(id)",
            "metadata": {"name": "web-\(number)", "namespace": "default", "uid": "\(id)", "attempt": 0},
            "shm": "/run/pods/\(id)/shm", "namespaces": {"network": "/run/netns/\(id)"}},
            "infra": {"id": "\(hash(2))", "directories": ["/run/containers/\(hash(2))"]},
            "containers": [
            {"id": "\(hash(3))", "metadata": {"name": "a", "attempt": 0}, "directories": ["/run/containers/\(hash(3))"]},
            {"id": "\(hash(4))", "metadata": {"name": "b", "attempt": 0}, "directories": ["/run/containers/\(hash(4))"]}]}
            """
        let read = try RegistrationDocument(json: Data(document.utf8))
        return (read.sandbox, read.containers)
    }

    private func fill(_ registry: Registry, _ count: Int) throws {
        for number in 0..<count {
            let (sandbox, containers) = try record(number)
            try registry.register(sandbox, containers)
        }
    }

    /// `podreap ps` and `podman ps`, each from its start to its end, where there are pods.
    func measureList(_ installation: SampleInstallation, _ results: inout Results) throws {
        let worker = try worker("ps", installation)
        let pods = try (0..<3).map { try SamplePod(on: installation.node, name: "web-\($0)") }
        defer { pods.forEach { $0.destroy() } }
        for pod in pods {
            _ = try worker.ask("podreap register \(try installation.place(pod.registration, as: "ps.json"))")
        }
        let other = try podman.map { try peer("podman", $0) }
        let ids = try other.map { other in try (0..<3).map { try other.ask("make ps-\($0) 1 handlesTerm") } }
        for round in 0...max(5, rounds * 2) {
            let own = try worker.microseconds("podreap ps") / 1000
            let other = try podman.map { try time(["\(scripts)/../Support/Peers/podman", $0, "ps"]) }
            if round == 0 { continue }
            results.add("ps", "three pods", "podreap ps", "ms", own)
            if let other { results.add("ps", "three pods", "podman ps", "ms", other) }
        }
        if let other, let ids { _ = try other.ask("remove \(ids.joined(separator: " "))") }
        worker.end()
        other?.end()
    }

    /// The daemon's memory when it has just started, and after many removals; containerd's now, after all of the above.
    func measureMemory(_ installation: SampleInstallation, _ results: inout Results) throws {
        let registry = try registry("memory")
        let daemon = try Daemon(self, installation, registry: registry)
        let worker = try worker("memory", installation)
        let client = try peer("podreapd", daemon.socket)
        defer {
            worker.end()
            client.end()
            daemon.end()
        }
        func add(_ row: String, _ who: String, _ pid: Int32) throws {
            results.add("memory", "\(row), resident", who, "MiB", try client.microseconds("resident \(pid)") / 1024)
            results.add("memory", "\(row), anonymous", who, "MiB", try client.microseconds("anonymous \(pid)") / 1024)
        }
        try add("idle", "podreapd", daemon.pid)
        var ids: [String] = []
        for number in 0..<removals {
            let id = "memory-\(number)"
            let directory = "\(installation.node.sandboxRoot)/\(id)"
            let document = """
                {"version": 1, "sandbox": {"id": "\(id)", "runtime": "runc", "directory": "\(directory)",
                "metadata": {"name": "\(id)", "namespace": "memory", "uid": "\(id)", "attempt": 0}}, "containers": []}
                """
            _ = unsafe mkdir(directory, 0o755)
            _ = try worker.ask("register \(try installation.place(document, as: "memory.json"))")
            ids.append(id)
            if ids.count == 20 || number == removals - 1 {
                _ = try client.ask("remove \(ids.joined(separator: " "))")
                ids = []
            }
        }
        try add("after \(removals) removals", "podreapd", daemon.pid)
        if let containerdPid { try add("idle", "containerd", containerdPid) }
    }
}
