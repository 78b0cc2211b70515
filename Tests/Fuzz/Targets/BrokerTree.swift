import CLinux
import Foundation
import HelperProtocol

@testable import HelperOperations

/// The private directory that the broker's target works in: roots with little in them, and beside these what no request
/// may touch, with links that lead there.
final class BrokerTree {
    let top: String
    let policy: Policy
    private let outside: [String]
    /// The tree is made again only after something was removed.
    private var whole = false

    init() {
        top = FileManager.default.temporaryDirectory.path + "/podreap-broker-\(getpid())"
        policy = Self.policy(top)
        outside = ["\(top)/outside/file", "\(top)/outside/directory/file", "\(top)/state/keep"]
    }

    func prepare() {
        guard !whole else { return }
        let directories = [
            "", "/outside", "/outside/directory", "/sandboxes", "/sandboxes/a", "/sandboxes/a/b", "/sandboxes/a/b/c",
            "/sandboxes/e", "/containers", "/containers/a", "/containers/a/rootfs", "/netns", "/netns/cni-d",
            "/cgroups",
            "/cgroups/a", "/cgroups/a/b", "/state", "/state/a", "/state/b",
        ]
        for directory in directories { Files.makeDirectory(top + directory) }
        let files =
            outside + [
                "\(top)/sandboxes/a/f", "\(top)/sandboxes/a/b/f", "\(top)/sandboxes/file", "\(top)/netns/cni-a",
                "\(top)/cgroups/a/b/tasks",
            ]
        for file in files { Files.write("", to: file) }
        Files.write("x", to: "\(top)/netns/cni-b")
        Files.write(#"{"poststop": [{}]}"#, to: "\(top)/state/b/state.json")
        for link in [
            "/sandboxes/l", "/sandboxes/a/l", "/sandboxes/a/b/l", "/containers/l", "/netns/cni-l", "/cgroups/l",
        ] {
            Files.link(top + link, to: "\(top)/outside")
        }
        whole = true
    }

    func check(_ reply: Reply) {
        if case .count(let count) = reply.facts, count > 0 { whole = false }
        if reply.kind == .deleteNamespace { whole = false }
        for file in outside { promise(Files.exists(file), "\(file) is gone") }
    }

    func remove() { try? FileManager.default.removeItem(atPath: top) }

    private static func policy(_ top: String) -> Policy {
        let text = """
            caller = 61234
            sandbox-root = \(top)/sandboxes depth 1-2
            container-root = \(top)/containers
            netns-root = \(top)/netns names uuid cni-*
            cgroup-root = \(top)/cgroups depth 1-3
            sandbox-root = \(top)/missing
            ipcns-root = \(top)/netns names cni-*
            runtime = runc /nonexistent/runc \(top)/state
            runtime = crun /nonexistent/crun \(top)/state hooks
            runtime = none /nonexistent/none \(top)/missing
            """
        do {
            var policy = try Policy(parsing: Array(text.utf8), users: [])
            // In the fuzzers' user namespace the directories above belong to nobody, so that no root could be opened.
            policy.firmRoots = policy.roots.map { _ in true }
            for index in policy.runtimes.indices { policy.runtimes[index].hasFirmRoot = true }
            return policy
        } catch {
            fatalError("\(error)")
        }
    }
}
