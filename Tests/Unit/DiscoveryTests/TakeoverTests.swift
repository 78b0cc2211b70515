import Foundation
import SandboxRegistry
import Testing

/// A real containerd that dies while its pods run: they are found, registered and removed by an unprivileged user, and nothing of
/// them is left.
@Suite(.serialized) struct TakeoverTests {
    private struct Pods {
        var ids: [String: [String]] = [:]
        var registered: [String] { ["web", "host", "killed"].flatMap { ids[$0] ?? [] } }
    }

    @Test func everyPodOfADeadContainerd() throws { try takeOver() }

    @Test(.enabled(if: Layer.trixie.isThere, "\(Layer.trixie.reason)"))
    func everyPodOfADeadContainerdOfTheNextDebian() throws { try takeOver(over: Layer.trixie) }

    @Test(.enabled(if: Layer.sid.isThere, "\(Layer.sid.reason)"))
    func everyPodOfADeadContainerdOfTheNewestDebian() throws { try takeOver(over: Layer.sid) }

    /// containerd of another release of Debian, as Tests/run has fetched it.
    private enum Layer: String {
        case trixie = "PODREAP_CONTAINERD_TRIXIE"
        case sid = "PODREAP_CONTAINERD_SID"

        private static let environment = ProcessInfo.processInfo.environment
        var directory: String? { Self.environment[rawValue] }
        var isThere: Bool { directory != nil }
        var reason: String { Self.environment["\(rawValue)_MISSING"] ?? "Tests/run fetches it, and did not run this" }
    }

    private func takeOver(over layer: Layer? = nil) throws {
        let sections = try PeerScript.run("takeover", over: layer?.directory)
        func text(_ name: String) throws -> String { try #require(sections[name], "no section \(name)") }
        #expect(sections["end"] != nil, "it ran to its end")
        var pods = Pods()
        for line in try text("pods").split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            pods.ids[words[0]] = Array(words.dropFirst())
        }
        #expect(pods.ids.mapValues(\.count) == ["web": 3, "host": 2, "killed": 2, "stopped": 2])
        let web = try #require(pods.ids["web"])

        try lookWhileItRuns(text, web)
        try registerAll(text, pods)

        let remove = try text("remove")
        #expect(!remove.contains("exit status"), "\(remove)")
        #expect(remove.matches(of: /removed [0-9a-f]{13} in/).count == 3)
        #expect(try text("ps").split(separator: "\n").count == 1, "nothing is registered any more")
        let left = try text("left").split(separator: "\n")
        #expect(left.allSatisfy { line in pods.ids["stopped"]!.contains { line.contains($0) } }, "\(left)")
        #expect(!left.contains { $0.hasPrefix("process") || $0.contains("/runc/") || $0.contains(" - ") }, "\(left)")
        for name in ["web", "host", "killed"] {
            #expect(try text("shims").contains(" -id \(pods.ids[name]![0])"), "remove ends no shims")
        }
        try collect(text, pods)
        let version = try #require(try text("version").firstMatch(of: /containerd \S+ v?([0-9.]+)/)).1
        print("runtime: containerd \(version), cgroup version 1")
        try cure(text, pods, listsPods: !version.hasPrefix("1."))
    }

    /// containerd knows nothing of it, and neither its database nor its CRI lists a pod once its commands have run.
    ///
    /// - Parameter listsPods: Whether the database has pods besides their containers, as from version 2 on.
    private func cure(_ text: (String) throws -> String, _ pods: Pods, listsPods: Bool) throws {
        let all = Set(pods.ids.values.flatMap { $0 })
        let commands = try text("cure").split(separator: "\n")
        #expect(commands.last == "systemctl restart containerd")
        func removed(_ kind: String) -> Set<String> {
            let found = commands.compactMap { $0.firstMatch(of: /^ctr -a \S+ -n k8s\.io (\w+) rm ([0-9a-f]{64})$/) }
            return Set(found.filter { $0.1 == kind }.map { String($0.2) })
        }
        let sandboxes = listsPods ? Set(pods.ids.values.map { $0[0] }) : []
        #expect(removed("sandboxes") == sandboxes, "\(commands)")
        #expect(removed("containers") == all.subtracting(sandboxes), "\(commands)")
        #expect(try text("curing") == "")
        let before = try text("lists")
        for id in all { #expect(before.contains(id), "containerd lists \(id) before") }
        #expect(before.contains("ListPodSandbox \(pods.ids["web"]![0])"))
        #expect(try text("lists-cured") == "")
    }

    private func lookWhileItRuns(_ text: (String) throws -> String, _ web: [String]) throws {
        let plan = try text("plan")
        #expect(plan.contains("delete network namespace /run/netns/cni-"))
        #expect(plan.matches(of: /kill process [0-9]+ and wait/).count == 3)
        #expect(plan.contains("remove /run/containerd/io.containerd.runtime.v2.task/k8s.io/\(web[1].prefix(13))…"))
        #expect(try text("explain").contains("it is not stuck: containerd runs as process "))
        #expect(try text("plan-unknown").hasSuffix("exit status 2"))
        #expect(try text("plan-as-user").contains("sudo podreap plan --from containerd web"))
        #expect(try text("explain-without-containerd").contains("does not run: nobody removes it"))
        let lines = try text("gc-beside-containerd").split(separator: "\n")
        #expect(lines.count > 20)
        #expect(lines.allSatisfy { $0.contains(#""outcome":"kept""#) }, "\(lines)")
    }

    private func registerAll(_ text: (String) throws -> String, _ pods: Pods) throws {
        let documents = try DocumentStream(json: Data(try text("documents").utf8)).entries.map { try $0.document.get() }
        #expect(documents.map(\.sandbox.metadata.name).sorted() == ["host", "killed", "web"])
        let found = documents.flatMap { $0.containers.map(\.id) }
        #expect(Set(found) == Set(pods.registered))
        #expect(documents.first { $0.sandbox.metadata.name == "host" }?.sandbox.usesHostShm == true)
        #expect(documents.first { $0.sandbox.metadata.name == "host" }?.sandbox.namespaces == [])

        let notes = try text("notes")
        for word in [
            "containerd-shim-runc-v2, process ", "meta.db", "containers rm", "/var/lib/cni/networks/peer/192.0.2.",
        ] {
            #expect(notes.contains(word), "\(notes)")
        }
        let registered = try text("register")
        #expect(
            Set(registered.split(separator: "\n").map(String.init)) == Set(documents.map(\.sandbox.id)), "\(registered)"
        )
        let again = try text("register-again")
        #expect(again.matches(of: /is registered already/).count == 3)
        #expect(again.hasSuffix("exit status 2"))
        // What is registered is not listed at all.
        let gc = try text("gc-registered")
        #expect(!pods.registered.contains { gc.contains($0) }, "\(gc)")
        #expect(!gc.contains("netns"), "\(gc)")
        #expect(try text("processes").split(separator: "\n").count >= 5)
    }

    private func collect(_ text: (String) throws -> String, _ pods: Pods) throws {
        let stopped = try #require(pods.ids["stopped"])
        let young = try text("gc-young").split(separator: "\n")
        #expect(young.allSatisfy { $0.contains(#""outcome":"kept""#) })
        #expect(young.contains { $0.contains("cni-stray") && $0.contains("younger than") })
        let dry = try text("gc-dry").split(separator: "\n")
        func outcome(_ lines: [Substring], _ name: String) -> String? {
            lines.first { $0.contains(name) }?.firstMatch(of: /"outcome":"([a-z]+)"/).map { String($0.1) }
        }
        #expect(outcome(dry, "cni-stray") == "removable")
        #expect(outcome(dry, "cni-used") == "kept")
        #expect(outcome(dry, "netns/admin") == nil, "its name is not a pod's")
        #expect(outcome(dry, stopped[0]) == "removable")
        // A user that cannot look into others' processes keeps directories and namespaces.
        let user = try text("gc-as-user").split(separator: "\n")
        #expect(user.contains { $0.contains(stopped[0]) && $0.contains("root can") }, "\(user)")
        #expect(outcome(user, stopped[0]) == "kept")
        #expect(outcome(user, "cni-used") == "kept")
        let remove = try text("gc-remove").split(separator: "\n")
        #expect(outcome(remove, "cni-used") == "kept")
        // The shims that nothing needs any more, which gc explains before it ends them.
        for name in ["web", "host", "killed"] {
            let id = pods.ids[name]![0]
            #expect(
                dry.contains { $0.contains(#""kind":"monitor""#) && $0.contains(id) && $0.contains("removable") },
                "\(dry)")
            #expect(
                remove.contains { $0.contains(#""kind":"monitor""#) && $0.contains(id) && $0.contains(#""removed""#) })
        }
        #expect(!user.contains { $0.contains(#""kind":"monitor""#) }, "only root sees which those are")
        #expect(try text("shims-left") == "")
        let left = Set(try text("gc-left").split(separator: "\n").map(String.init))
        #expect(left == ["/run/netns/cni-used", "/run/netns/admin"])
        // Root used the registry too, and took nothing of it away from its owner.
        #expect(try text("registry").split(separator: "\n").allSatisfy { $0.hasPrefix("61234 ") })
    }
}
