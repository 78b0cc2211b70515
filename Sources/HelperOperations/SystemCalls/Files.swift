internal import CLinux
internal import HelperProtocol

/// What statx(2) says about an entry. A symbolic link as the last component is not followed.
struct Status {
    private let found: linux_status

    fileprivate init(_ found: linux_status) { self.found = found }

    var identity: NodeIdentity {
        NodeIdentity(device: found.device, inode: found.inode, birth: found.birth)
    }
    /// A namespace has no birth time, and its inode number is reused at once. Its modification time is used instead:
    /// nothing changes that after the namespace is first looked at.
    var namespaceIdentity: NodeIdentity {
        NodeIdentity(device: found.device, inode: found.inode, birth: found.modified)
    }
    var mount: MountIdentity { MountIdentity(id: found.mountID, unique: found.mountIDUnique != 0) }
    /// Whether the kernel reports at all which entries are roots of mounts.
    var knowsMountRoots: Bool { found.mountRootKnown != 0 }
    var isMountRoot: Bool { found.isMountRoot != 0 }
    var isImmutable: Bool { found.isImmutable != 0 }
    var isDirectory: Bool { found.mode & 0o170000 == 0o040000 }
    var isRegular: Bool { found.mode & 0o170000 == 0o100000 }
    var isSocket: Bool { found.mode & 0o170000 == 0o140000 }
    var isEmpty: Bool { found.size == 0 }
    var byteCount: UInt64 { found.size }
    /// For a directory: 2 plus the number of its subdirectories, or 1 if the filesystem does not count them.
    var links: UInt32 { found.links }
    /// Whether users other than the owner may write to it, or create entries in it.
    var othersMayWrite: Bool { found.mode & 0o022 != 0 }
    /// Whether only root can write to this entry or replace what is in it. The sticky bit protects a directory's
    /// entries.
    var onlyRootReplaces: Bool {
        found.uid == 0 && (!othersMayWrite || isDirectory && found.mode & 0o1000 != 0)
    }
}

/// How a path beneath a descriptor is resolved: never through a link, never out of the directory, never into another
/// mount.
private var confined: UInt64 {
    UInt64(
        LINUX_RESOLVE_BENEATH | LINUX_RESOLVE_NO_SYMLINKS | LINUX_RESOLVE_NO_MAGICLINKS | LINUX_RESOLVE_NO_XDEV)
}

enum OpenMode {
    /// A directory to resolve paths in, or any entry to examine. With O_PATH the entry itself is not opened, so that no
    /// device or FIFO can block.
    case path, pathOfDirectory
    case directory
    case file
    /// An existing file, to write to.
    case writing

    fileprivate var flags: UInt64 {
        switch self {
        case .path: UInt64(LINUX_O_PATH | O_NOFOLLOW)
        // Without O_NOFOLLOW, which would make a link look like any other file; RESOLVE_NO_SYMLINKS refuses it as a
        // link.
        case .pathOfDirectory: UInt64(LINUX_O_PATH | O_DIRECTORY)
        case .directory: UInt64(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK)
        case .file: UInt64(O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        case .writing: UInt64(O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        }
    }
}

extension Descriptor {
    /// openat2(2) of a NUL-terminated absolute path that goes through no symbolic link.
    static func absolute(_ path: Span<UInt8>, _ mode: OpenMode) throws(Outcome) -> Descriptor {
        let resolve = UInt64(LINUX_RESOLVE_NO_SYMLINKS | LINUX_RESOLVE_NO_MAGICLINKS)
        let raw = unsafe path.withUnsafeBufferPointer {
            unsafe linux_openat2(AT_FDCWD, $0.baseAddress, mode.flags, resolve)
        }
        return Descriptor(owning: try check(raw, .openat2))
    }

    /// openat2(2) of a NUL-terminated path beneath this directory, in the same mount and through no symbolic link.
    func open(_ path: Span<UInt8>, _ mode: OpenMode) throws(Outcome) -> Descriptor {
        let raw = unsafe path.withUnsafeBufferPointer {
            unsafe linux_openat2(self.raw, $0.baseAddress, mode.flags, confined)
        }
        return Descriptor(owning: try check(raw, .openat2))
    }

    /// The same for one entry, which may be the root of another mount.
    func openMounted(_ name: Span<UInt8>, _ mode: OpenMode) throws(Outcome) -> Descriptor {
        let raw = unsafe name.withUnsafeBufferPointer {
            unsafe linux_openat2(self.raw, $0.baseAddress, mode.flags, confined & ~UInt64(LINUX_RESOLVE_NO_XDEV))
        }
        return Descriptor(owning: try check(raw, .openat2))
    }

    /// statx(2) of an entry. `mountOnly`: only what the kernel knows without asking the filesystem.
    func status(_ name: Span<UInt8>, mountOnly: Bool = false) throws(Outcome) -> Status {
        var found = linux_status()
        let result = unsafe name.withUnsafeBufferPointer {
            unsafe linux_statx(raw, $0.baseAddress, 0, mountOnly ? 1 : 0, &found)
        }
        try check(result, .statx)
        return Status(found)
    }

    /// statx(2) of the open file itself.
    func status() throws(Outcome) -> Status {
        var found = linux_status()
        var empty: UInt8 = 0
        try check(unsafe linux_statx(raw, &empty, LINUX_AT_EMPTY_PATH, 0, &found), .statx)
        return Status(found)
    }

    /// statx(2) of a NUL-terminated absolute path.
    static func status(absolute path: Span<UInt8>) throws(Outcome) -> Status {
        var found = linux_status()
        let result = unsafe path.withUnsafeBufferPointer {
            unsafe linux_statx(AT_FDCWD, $0.baseAddress, 0, 0, &found)
        }
        try check(result, .statx)
        return Status(found)
    }

    /// unlinkat(2).
    func unlink(_ name: Span<UInt8>) throws(Outcome) {
        try check(unsafe name.withUnsafeBufferPointer { unsafe linux_unlinkat(raw, $0.baseAddress, 0) }, .unlink)
    }

    /// unlinkat(2) with AT_REMOVEDIR.
    func removeDirectory(_ name: Span<UInt8>) throws(Outcome) {
        try check(
            unsafe name.withUnsafeBufferPointer { unsafe linux_unlinkat(raw, $0.baseAddress, AT_REMOVEDIR) }, .rmdir)
    }

    /// getdents64(2) into `buffer` from an index on; returns the number of bytes, 0 at the end or if the directory was
    /// removed meanwhile.
    func readEntries(into buffer: inout [UInt8], from start: Int = 0) throws(Outcome) -> Int {
        let result = unsafe buffer.withUnsafeMutableBytes {
            let rest = unsafe $0[start...]
            return unsafe linux_getdents64(raw, UnsafeMutableRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        }
        return result == -Int(ErrorNumber.noEntry) ? 0 : Int(try check(result, .getdents))
    }

    /// lseek(2) from the beginning; for a directory the position is a cookie of its filesystem.
    func seek(to position: UInt64) throws(Outcome) {
        guard lseek(raw, off_t(truncatingIfNeeded: position), SEEK_SET) >= 0 else {
            throw Outcome(errno: EINVAL, .read)
        }
    }

    /// pread(2) into the whole of `buffer`; returns the number of bytes.
    func read(into buffer: inout [UInt8], at offset: Int = 0) throws(Outcome) -> Int {
        let result = unsafe buffer.withUnsafeMutableBytes {
            unsafe linux_pread(raw, $0.baseAddress, $0.count, Int64(offset))
        }
        return Int(try check(result, .read))
    }

    /// The first 1,024 bytes, or all if there are fewer.
    func beginning() throws(Outcome) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = try read(into: &buffer)
        return Array(buffer[..<count])
    }

    /// write(2) of a short text.
    func write(_ text: StaticString) throws(Outcome) {
        try check(unsafe linux_write(raw, text.utf8Start, text.utf8CodeUnitCount), .write)
    }

    /// A memfd that can be sealed.
    static func memory() throws(Outcome) -> Descriptor {
        var name: UInt8 = 0
        return Descriptor(owning: try check(unsafe linux_memfd(&name), .memfd))
    }

    /// Makes the memfd immutable for everyone who has it.
    func seal() throws(Outcome) { try check(linux_seal(raw), .memfd) }
}
