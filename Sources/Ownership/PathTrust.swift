internal import LinuxSystem

/// A file or directory, and every user who can change where the path to it leads.
///
/// Each component of the path, and of each symbolic link on the way, is examined. Nothing is opened.
public struct PathTrust: Sendable, Equatable {
    /// A user who can replace a component, or put something else into the directory at the end.
    struct Power: Sendable, Equatable {
        let path: String
        /// nil if more than one user can.
        let user: UInt32?
    }

    /// What the path leads to.
    public struct End: Sendable, Equatable {
        /// The owner's user id.
        public let user: UInt32
        public let group: UInt32
        /// Whether anybody besides the owner and root can write to it.
        let isOpen: Bool
        /// Where it is, without symbolic links.
        let path: String
    }

    /// nil if nothing is there, if the path cannot be followed, or if this process may not look. Whoever has a power
    /// over the path can change that at any time, so this alone never means that nobody controls where it leads.
    public let end: End?
    /// The users other than root who can replace, or make, a component.
    let powers: [Power]

    /// A path without a leading `/` begins at the working directory.
    public static func of(_ path: String) -> PathTrust {
        let walk = Walk(path)
        return PathTrust(walk.isWhole ? walk.walked.last : nil, walk.powers)
    }

    /// The directory in which the file at a path lies, or would lie.
    ///
    /// - Parameter followsLink: Whether the operation follows a symbolic link at the path itself, and so takes place
    ///   elsewhere.
    public static func ofDirectory(holding path: String, followsLink: Bool) -> PathTrust {
        guard followsLink else {
            guard let slash = path.lastIndex(of: "/") else { return of(".") }
            return of(slash == path.startIndex ? "/" : String(path[..<slash]))
        }
        let walk = Walk(path)
        guard walk.isWhole || walk.lacksOnlyLast else { return PathTrust(nil, walk.powers) }
        let directory = walk.isWhole ? walk.walked.dropLast().last : walk.walked.last
        // Only users who can write in the directory can replace the file itself, and the directory's owner and mode
        // tell who they are.
        return PathTrust(directory, Array(walk.powers.prefix(walk.powersBeforeEnd)))
    }

    private init(_ end: (path: String, status: FileStatus)?, _ powers: [Power]) {
        self.end = end.map { path, status in
            End(user: status.user, group: status.group, isOpen: status.isOpen, path: path)
        }
        self.powers = powers
    }

    /// Why somebody besides root and `user` controls what the path leads to; nil if nobody does.
    ///
    /// For root alone (0), that includes anybody who can write to the file, or into the directory, at the path's end.
    public func weakness(besides user: UInt32 = 0) -> String? {
        if let power = powers.first(where: { $0.user != user }) {
            return power.user.map { "\(power.path) can be replaced by the user \($0)" }
                ?? "\(power.path) can be replaced by more than one user"
        }
        guard let end else { return nil }
        if end.user != 0, end.user != user { return "\(end.path) belongs to the user \(end.user)" }
        return user == 0 && end.isOpen ? "users other than root can write to \(end.path)" : nil
    }
}

/// A walk along a path, through each symbolic link.
private struct Walk {
    /// The directories from the root to the end, without symbolic links, and last what is at the end.
    var walked: [(path: String, status: FileStatus)] = []
    var powers: [PathTrust.Power] = []
    /// How many of the powers concern more than the last component.
    var powersBeforeEnd = 0
    /// Whether every component was found.
    var isWhole = false
    /// Whether only the last component has nothing of its name.
    var lacksOnlyLast = false

    init(_ path: String) {
        guard !path.isEmpty else { return }
        let start = path.hasPrefix("/") ? "/" : workingDirectory
        guard let start, let top = FileStatus.of("/"), !path.utf8.contains(0) else {
            // What others can do to it is not known.
            powers = [PathTrust.Power(path: path, user: nil)]
            return
        }
        var left = Self.components(path) + Self.components(start)
        walked = [("/", top)]
        var links = 0
        while let name = left.popLast(), let here = walked.last {
            if name == ".." {
                if walked.count > 1 { walked.removeLast() }
                continue
            }
            powersBeforeEnd = powers.count
            let next = walked.count == 1 ? "/\(name)" : "\(here.path)/\(name)"
            let found = FileStatus.of(next)
            if here.status.user != 0 { powers.append(PathTrust.Power(path: here.path, user: here.status.user)) }
            if here.status.isOpen {
                // In a sticky directory, users other than its owner can replace only entries of their own. What is not
                // there can be made by each of them.
                let isOwn = here.status.isSticky
                if !isOwn || found?.user != 0 {
                    powers.append(PathTrust.Power(path: next, user: isOwn ? found?.user : nil))
                }
            }
            guard let found else {
                lacksOnlyLast = left.isEmpty && here.status.isDirectory
                return
            }
            guard found.isLink else {
                walked.append((next, found))
                continue
            }
            links += 1
            // The kernel's own limit (path_resolution(7)).
            guard links <= 40, let target = linkText(next) else { return }
            if target.hasPrefix("/") { walked = [("/", top)] }
            left += Self.components(target)
        }
        isWhole = true
    }

    /// The components in reverse order.
    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." }.reversed()
    }
}

extension FileStatus {
    fileprivate var isLink: Bool { kind == .symbolicLink }
    fileprivate var isDirectory: Bool { kind == .directory }
    fileprivate var isSticky: Bool { mode & 0o1000 != 0 }
    /// Whether anybody besides the owner may write; root's own group does not count. A symbolic link has no mode.
    fileprivate var isOpen: Bool { !isLink && (mode & 0o002 != 0 || mode & 0o020 != 0 && group != 0) }

    fileprivate static func of(_ path: String) -> FileStatus? { try? of(path, followsLink: false) }
}
