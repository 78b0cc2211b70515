internal import FoundationEssentials
internal import HelperClient
internal import HelperProtocol
internal import LinuxSystem

/// Detaches a container's root filesystem through podreap-helper, under a policy with one root. Only the mount that was
/// looked at is detached.
struct Detachment {
    let helper: String

    /// - Parameter path: `ROOT/ID/NAME`, as runtimes mount root filesystems.
    func detach(_ path: String) async throws -> String {
        let names = path.split(separator: "/")
        guard names.count > 3 else { throw RescueRefusal("\(path) is no container's root filesystem") }
        let root = names.dropLast(2).map { "/\($0)" }.joined()
        let policy = "/run/podreap-rescue-\(ownPID).conf"
        try Data("caller = root\ncontainer-root = \(root) depth 2\n".utf8).write(to: URL(filePath: policy))
        defer { try? removeFile(policy) }
        let pool = HelperPool(.program(helper, arguments: [policy]))
        let session = try await pool.session()
        let place = try RootMap(session.welcome).place(path, for: .unmount, in: [.container])
        let seen = try await session.call(.unmount(place, .look), deadline: .seconds(5))
        guard case .mountPoint(let mount, _) = seen.facts else {
            return seen.outcome == .alreadyDone ? "gone already" : "the helper cannot look at it: \(seen.outcome)"
        }
        let reply = try await session.call(.unmount(place, .act(only: mount)), deadline: .seconds(5))
        return [.done, .alreadyDone].contains(reply.outcome) ? "done" : "the helper refuses: \(reply.outcome)"
    }
}
