/// The mounted cgroup hierarchies, and the cgroups of a process in them.
public struct CgroupHierarchies: Sendable {
    /// One line of /proc/PID/cgroup (cgroups(7)).
    struct Membership: Equatable {
        /// The controllers of version 1, such as `["cpu", "cpuacct"]` or `["name=systemd"]`; empty for version 2.
        let controllers: [String]
        let path: [UInt8]
    }

    private let mounts: [(controllers: Set<String>?, mount: Mount)]

    /// The hierarchies among these mounts.
    public init(_ table: MountTable) {
        mounts = table.mounts.compactMap { mount in
            switch mount.type {
            case "cgroup": (Set(mount.superOptions.split(separator: ",").map(String.init)), mount)
            case "cgroup2": (nil, mount)
            default: nil
            }
        }
    }

    /// The directories at which whole hierarchies are mounted, in the kernel's order.
    public var roots: [String] {
        mounts.filter { $0.mount.root == [slash] }.map { $0.mount.mountPoint.text }
    }

    /// The absolute directories of a process's cgroups, one for each mounted hierarchy; empty if there is no such
    /// process.
    ///
    /// A cgroup outside the part of a hierarchy that is mounted here has no directory, and is left out.
    public func directories(of pid: Int32) throws(ObservationError) -> [String] {
        let file = "/proc/\(pid)/cgroup"
        guard pid > 0, let bytes = try contents(of: Array(file.utf8)) else { return [] }
        var directories: [String] = []
        for membership in try Self.memberships(bytes, file: file) {
            guard let directory = directory(of: membership) else { continue }
            guard let text = String(validating: directory, as: UTF8.self) else {
                throw .malformed(file: file, line: directories.count + 1, expected: "cgroups with names in UTF-8")
            }
            directories.append(text)
        }
        return directories
    }

    func directory(of membership: Membership) -> [UInt8]? {
        for (controllers, mount) in mounts {
            let isSameHierarchy = controllers.map { $0.isSuperset(of: membership.controllers) } ?? true
            guard isSameHierarchy, (controllers == nil) == membership.controllers.isEmpty,
                let rest = remainder(of: membership.path, beneath: trimmed(mount.root)),
                !rest.split(separator: slash).contains(where: { $0.elementsEqual("..".utf8) })
            else { continue }
            return trimmed(mount.mountPoint) + (rest.isEmpty ? [] : Array(rest))
        }
        return nil
    }

    static func memberships(_ bytes: [UInt8], file: String) throws(ObservationError) -> [Membership] {
        var memberships: [Membership] = []
        for (number, line) in bytes[...].fields(separatedBy: newline).enumerated() where !line.isEmpty {
            let fields = line.fields(separatedBy: UInt8(ascii: ":"), atMost: 2)
            guard fields.count == 3, fields[2].first == slash else {
                throw .malformed(file: file, line: number + 1, expected: "HIERARCHY:CONTROLLERS:/PATH")
            }
            let controllers = fields[1].split(separator: UInt8(ascii: ",")).map(\.text)
            memberships.append(Membership(controllers: controllers, path: Array(fields[2])))
        }
        return memberships
    }
}
