/// One line of mountinfo (proc_pid_mountinfo(5)). Names are exact bytes: a container may have chosen any.
public struct Mount: Sendable, Equatable {
    /// A device's number, as in st_dev.
    public struct Device: Sendable, Equatable {
        public let major, minor: UInt32
    }

    /// Unique among the mounts that exist now; reused when this one is gone.
    public let id: Int
    /// The mount that this one is mounted on: the one beneath it where mounts are stacked on one point.
    public let parentID: Int
    public let device: Device
    /// The directory or file of the filesystem that is seen at the mount point; `net:[4026531840]` for a namespace pin.
    public let root: [UInt8]
    /// Where it is mounted, as seen from the root directory of the process that the table was read of.
    public let mountPoint: [UInt8]
    /// Per-mount options, such as `rw,nosuid`.
    public let options: String
    /// The optional fields, such as `shared:2` and `master:1`.
    public let propagation: [String]
    /// Such as `overlay`, `tmpfs`, `nsfs`, `fuse.sshfs`.
    public let type: String
    /// What the filesystem says it comes from; any bytes.
    public let source: [UInt8]
    /// Per-filesystem options, such as an overlay's layers and a cgroup hierarchy's controllers.
    public let superOptions: String

    /// The names that lead from `directory` to the mount point: none where they are the same place; nil where the mount
    /// point does not lie beneath it.
    public func components(beneath directory: [UInt8]) -> [[UInt8]]? {
        guard let rest = remainder(of: mountPoint, beneath: trimmed(directory)) else { return nil }
        return rest.split(separator: slash).map(Array.init)
    }

    /// nil where the line does not have the documented form.
    init?(line: ArraySlice<UInt8>) {
        let fields = line.fields(separatedBy: space)
        guard fields.count >= 10, let end = fields[6...].firstIndex(where: { $0.elementsEqual([0x2d]) }),
            fields.count >= end + 4, let id = fields[0].number(as: Int.self),
            let parentID = fields[1].number(as: Int.self)
        else { return nil }
        let device = fields[2].fields(separatedBy: UInt8(ascii: ":"))
        guard device.count == 2, let major = device[0].number(as: UInt32.self),
            let minor = device[1].number(as: UInt32.self)
        else { return nil }
        self.id = id
        self.parentID = parentID
        self.device = Device(major: major, minor: minor)
        root = Self.unescaped(fields[3])
        mountPoint = Self.unescaped(fields[4])
        guard mountPoint.first == slash else { return nil }
        options = fields[5].text
        propagation = fields[6..<end].map(\.text)
        type = Self.unescaped(fields[end + 1]).text
        source = Self.unescaped(fields[end + 2])
        // Some filesystems print options with spaces unescaped: everything that is left belongs to them.
        superOptions = Self.unescaped(fields[(end + 3)...].joined(separator: [space])).text
    }

    /// The kernel writes space, tab, newline, backslash and `#` as a backslash and three octal digits.
    private static func unescaped(_ field: some Sequence<UInt8>) -> [UInt8] {
        let field = Array(field)
        guard field.contains(UInt8(ascii: "\\")) else { return field }
        var bytes: [UInt8] = []
        var index = 0
        while index < field.count {
            let digits = field[(index + 1)...].prefix(3)
            if field[index] == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }),
                let byte = UInt8(exactly: digits.reduce(0) { $0 * 8 + Int($1 - 0x30) })
            {
                bytes.append(byte)
                index += 4
            } else {
                bytes.append(field[index])
                index += 1
            }
        }
        return bytes
    }
}
