internal import LinuxSystem

/// The properties of a program's file that decide with which privileges the program runs.
public struct InstalledFile: Sendable, Equatable {
    public var path: String
    /// Permission bits, such as 0o750.
    public var mode: UInt32
    public var owner: UInt32
    public var group: UInt32
    public var isRegular: Bool
    /// Whether it lies on a mount that ignores file capabilities.
    public var isNoSetUserID: Bool
    public var capabilities: FileCapabilities?
    /// The error number with which executing it fails for this process; nil if this process may execute it.
    public var refusal: Int32?

    public init(
        path: String, mode: UInt32 = 0o750, owner: UInt32 = 0, group: UInt32 = 0, isRegular: Bool = true,
        isNoSetUserID: Bool = false, capabilities: FileCapabilities? = nil, refusal: Int32? = nil
    ) {
        self.path = path
        self.mode = mode
        self.owner = owner
        self.group = group
        self.isRegular = isRegular
        self.isNoSetUserID = isNoSetUserID
        self.capabilities = capabilities
        self.refusal = refusal
    }

    /// nil if nothing is there.
    public static func of(_ path: String) throws(ObservationError) -> InstalledFile? {
        guard let status = try status(of: Array(path.utf8), mountOnly: false) else { return nil }
        return InstalledFile(
            path: path, mode: UInt32(status.mode & 0o7777), owner: status.user, group: status.group,
            isRegular: status.mode & 0o170000 == 0o100000, isNoSetUserID: (try? isMountedNoSetUserID(path)) ?? false,
            capabilities: try FileCapabilities.of(path), refusal: LinuxSystem.refusal(toExecute: path)?.number)
    }
}

/// The capabilities of a file (capabilities(7)), one bit each by number.
public struct FileCapabilities: Sendable, Equatable {
    public var permitted: UInt64
    public var inheritable: UInt64
    /// Whether the kernel refuses to start the program without them (`e` of setcap(8)).
    public var effective: Bool

    public init(permitted: UInt64, inheritable: UInt64 = 0, effective: Bool = false) {
        self.permitted = permitted
        self.inheritable = inheritable
        self.effective = effective
    }

    /// nil if the file has none.
    public static func of(_ path: String) throws(ObservationError) -> FileCapabilities? {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try attribute("security.capability", of: path) } catch {
            if error.isAbsence || error == .noData || error == .notSupported { return nil }
            throw .failed(call: "getxattr", path: path, code: error.number)
        }
        guard let found = FileCapabilities(bytes) else {
            throw .malformed(file: "\(path), security.capability", line: 1, expected: "struct vfs_cap_data")
        }
        return found
    }

    /// Parses struct vfs_cap_data, revisions 1 to 3: little-endian words, with a flag and the revision in the first.
    init?(_ bytes: [UInt8]) {
        func word(_ index: Int) -> UInt64 {
            (0..<4).reduce(0) { $0 | UInt64(bytes[index * 4 + $1]) << UInt64(8 * $1) }
        }
        guard bytes.count >= 12 else { return nil }
        let revision = word(0) >> 24
        let isLong = bytes.count >= 20 && (revision == 2 || revision == 3)
        guard isLong || revision == 1 else { return nil }
        permitted = word(1) | (isLong ? word(3) << 32 : 0)
        inheritable = word(2) | (isLong ? word(4) << 32 : 0)
        effective = word(0) & 1 != 0
    }
}
