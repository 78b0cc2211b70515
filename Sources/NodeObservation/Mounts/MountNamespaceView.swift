/// The mounts of another mount namespace, as one of its processes sees them. mountinfo is readable by all.
public struct MountNamespaceView: Sendable {
    /// The process with the lowest pid.
    public let pid: Int32
    public let name: String
    /// The namespace's inode; nil where this user may not know.
    public let inode: UInt64?
    public let table: MountTable

    /// The most namespaces that are read.
    public static let limit = 4096

    /// One view of every mount namespace but this process's own, in the order of pids.
    ///
    /// - Parameter without: Processes that are not taken for it, as a pod's own.
    public static func others(without: Set<Int32> = []) throws(ObservationError) -> [MountNamespaceView] {
        // A mount's id is unique among all namespaces, so it tells which one a table is of.
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

    // A process that has ended, or may not be looked at as with hidepid, is left out.

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
