internal import LinuxSystem

/// One line of mountinfo (proc_pid_mountinfo(5)). Names are exact bytes, because a container may have chosen any.
///
/// A mount keeps the file's text, which is large on a node with many pods, and decodes each field only when it is asked
/// for.
public struct Mount: Sendable {
    /// A device's number, as in st_dev.
    public struct Device: Sendable, Hashable {
        public let major, minor: UInt32
    }

    /// Unique among the mounts that exist now; reused when this one is gone.
    public let id: Int
    /// The mount on which this one is mounted; if mounts are stacked on one point, the one beneath it.
    public let parentID: Int
    public let device: Device
    private let file: [UInt8]
    private let rootField, pointField, optionsField, propagationFields, typeField, sourceField, superField: Range<Int>

    /// The directory or file of the filesystem that is seen at the mount point; `net:[4026531840]` for a namespace pin.
    public var root: [UInt8] { Self.unescaped(file[rootField]) }
    /// The mount point, as seen from the root directory of the process whose table was read.
    public var mountPoint: [UInt8] { Self.unescaped(file[pointField]) }
    /// Per-mount options, such as `rw,nosuid`.
    public var options: String { file[optionsField].text }
    /// The optional fields, such as `shared:2` and `master:1`.
    public var propagation: [String] { file[propagationFields].split(separator: space).map(\.text) }
    /// The filesystem's type, such as `overlay`, `tmpfs`, `nsfs`, `fuse.sshfs`.
    public var type: String { Self.unescaped(file[typeField]).text }
    /// The source that the filesystem reports; any bytes.
    public var source: [UInt8] { Self.unescaped(file[sourceField]) }
    /// Per-filesystem options, such as an overlay's layers and a cgroup hierarchy's controllers.
    public var superOptions: String { Self.unescaped(file[superField]).text }

    /// The names that lead from `directory` to the mount point: empty if they are the same place; nil if the mount
    /// point does not lie beneath `directory`.
    public func components(beneath directory: [UInt8]) -> [[UInt8]]? {
        guard let rest = remainder(of: mountPoint, beneath: trimmed(directory)) else { return nil }
        return rest.split(separator: slash).map(Array.init)
    }

    /// Whether it is mounted at a directory (without a slash at its end) or beneath it.
    func isBeneath(_ directory: ArraySlice<UInt8>) -> Bool {
        let field = file[pointField]
        if field.contains(Self.backslash) { return remainder(of: mountPoint, beneath: directory) != nil }
        return LinuxSystem.isBeneath(directory, field)
    }

    /// nil if the line does not have the documented form.
    init?(_ file: [UInt8], line: Range<Int>) {
        var fields = FieldRanges(file, line)
        guard let id = file[fields.next()].number(as: Int.self), let parentID = file[fields.next()].number(as: Int.self)
        else { return nil }
        let device = file[fields.next()]
        guard let colon = device.firstIndex(of: UInt8(ascii: ":")),
            let major = device[..<colon].number(as: UInt32.self),
            let minor = device[(colon + 1)...].number(as: UInt32.self)
        else { return nil }
        self.file = file
        self.id = id
        self.parentID = parentID
        self.device = Device(major: major, minor: minor)
        rootField = fields.next()
        pointField = fields.next()
        optionsField = fields.next()
        let start = fields.start
        var optional = fields.next()
        // A field that is a single dash ends the optional ones.
        while optional.count != 1 || file[optional.lowerBound] != UInt8(ascii: "-") {
            if fields.isAtEnd { return nil }
            optional = fields.next()
        }
        propagationFields = start..<optional.lowerBound
        typeField = fields.next()
        if fields.isAtEnd { return nil }
        sourceField = fields.next()
        if fields.isAtEnd { return nil }
        // Some filesystems print options with unescaped spaces, so the rest of the line belongs to them.
        superField = fields.start..<line.upperBound
        guard file[pointField].first == slash else { return nil }
    }

    private static var backslash: UInt8 { UInt8(ascii: "\\") }

    /// The kernel writes space, tab, newline, backslash and `#` as a backslash and three octal digits.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        guard field.contains(backslash) else { return Array(field) }
        var bytes: [UInt8] = []
        var index = field.startIndex
        while index < field.endIndex {
            let digits = field[(index + 1)...].prefix(3)
            if field[index] == backslash, digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }),
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

extension Mount: Equatable {
    public static func == (left: Mount, right: Mount) -> Bool {
        left.id == right.id && left.parentID == right.parentID && left.device == right.device && left.rest == right.rest
    }

    private var rest: ArraySlice<UInt8> { file[rootField.lowerBound..<superField.upperBound] }
}

/// The fields of a line, each separated from the next by one space.
private struct FieldRanges {
    private let file: [UInt8]
    private let end: Int
    /// Where the next field begins; beyond the line's end if there is none.
    private(set) var start: Int

    init(_ file: [UInt8], _ line: Range<Int>) {
        self.file = file
        start = line.lowerBound
        end = line.upperBound
    }

    var isAtEnd: Bool { start > end }

    /// The range of the next field; empty if there is none.
    mutating func next() -> Range<Int> {
        guard !isAtEnd else { return end..<end }
        var index = start
        while index < end, file[index] != space { index += 1 }
        defer { start = index + 1 }
        return start..<index
    }
}
