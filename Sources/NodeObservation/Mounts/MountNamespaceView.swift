/// The mounts of another mount namespace, as one of its processes sees them. Every user may read mountinfo.
public struct MountNamespaceView: Sendable {
    /// The process with the lowest pid in the namespace.
    public let pid: Int32
    public let name: String
    /// The namespace's inode; nil if this user may not know.
    public let inode: UInt64?
    public let table: MountTable

    /// The most namespaces that are read.
    public static let limit = 4096

    /// One view of every mount namespace except this process's own, ordered by pid.
    ///
    /// - Parameter without: Processes whose view is not used, such as a pod's own.
    public static func others(without: Set<Int32> = []) throws(ObservationError) -> [MountNamespaceView] {
        // A mount's id is unique among all namespaces, so it identifies the namespace of a table.
        var known = Set(try MountTable.current().mounts.map(\.id))
        var found: [MountNamespaceView] = []
        for pid in try ProcessTable.pids() where !without.contains(pid) && found.count < limit {
            guard let first = firstMount(of: pid), !known.contains(first), let table = try table(of: pid),
                let status = try ProcessStatus.of(pid: pid)
            else { continue }
            known.formUnion(table.mounts.map(\.id))
            let inode = ProcessObservation.namespace("mnt", of: pid)
            found.append(MountNamespaceView(pid: pid, name: status.name, inode: inode, table: table))
        }
        return found
    }

    // A process that has ended, or that may not be looked at (as with hidepid), is left out.

    private static func table(of pid: Int32) throws(ObservationError) -> MountTable? {
        do throws(ObservationError) { return try MountTable.of(pid: pid) } catch {
            if case .malformed = error { throw error }
            return nil
        }
    }

    private static func firstMount(of pid: Int32) -> Int? {
        let bytes = try? beginning(of: Array("/proc/\(pid)/mountinfo".utf8))
        return (bytes ?? nil)?.prefix { $0 != space }.number()
    }
}
