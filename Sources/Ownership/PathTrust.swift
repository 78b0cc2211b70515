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

    /// The owner's user id.
    public let user: UInt32
    public let group: UInt32
    /// The users other than root who can replace a component.
    let powers: [Power]
    /// Whether anybody besides the owner and root can write to what the path names.
    let isOpen: Bool
    private let path: String

    /// nil if nothing is at the path, or if this process may not look. A path without a leading `/` begins at the
    /// working directory.
    public static func of(_ path: String) -> PathTrust? {
        guard let walk = Walk(path), walk.missing == nil else { return nil }
        return PathTrust(walk.walked.last, walk.powers)
    }

    /// The directory in which the file at a path lies, or would lie; nil if there is none.
    ///
    /// - Parameter followsLink: Whether the operation follows a symbolic link at the path itself, and so takes place
    ///   elsewhere.
    public static func ofDirectory(holding path: String, followsLink: Bool) -> PathTrust? {
        guard followsLink else {
            guard let slash = path.lastIndex(of: "/") else { return of(".") }
            return of(slash == path.startIndex ? "/" : String(path[..<slash]))
        }
        guard let walk = Walk(path) else { return nil }
        let directory = walk.missing == nil ? walk.walked.dropLast().last : walk.walked.last
        // Only users who can write in the directory can replace the file itself, and the directory's owner and mode
        // tell who they are.
        return PathTrust(directory, Array(walk.powers.prefix(walk.powersBeforeEnd)))
    }

    private init?(_ end: (path: String, status: Status)?, _ powers: [Power]) {
        guard let end else { return nil }
        (user, group, isOpen, path) = (end.status.user, end.status.group, end.status.isOpen, end.path)
        self.powers = powers
    }

    /// Why somebody besides root and `user` controls what the path leads to; nil if nobody does.
    ///
    /// For root alone (0), that includes anybody who can write to the file, or into the directory, at the path's end.
    public func weakness(besides user: UInt32 = 0) -> String? {
        if let power = powers.first(where: { $0.user != user }) {
            return power.user.map { "\(power.path) is the user \($0)'s to exchange" }
                ?? "\(power.path) is for more than one user to exchange"
        }
        if self.user != 0, self.user != user { return "\(path) belongs to the user \(self.user)" }
        return user == 0 && isOpen ? "others than root can write to \(path)" : nil
    }
}

/// A walk along a path, through each symbolic link.
private struct Walk {
    /// The directories from the root to the end, without symbolic links, and last what is at the end.
    var walked: [(path: String, status: Status)] = []
    var powers: [PathTrust.Power] = []
    /// How many of the powers concern more than the last component.
    var powersBeforeEnd = 0
    /// The last component, if nothing has that name.
    var missing: String?

    /// nil if the path cannot be followed, or if this process may not look.
    init?(_ path: String) {
        guard !path.isEmpty, !path.utf8.contains(0), let top = Status.of("/") else { return nil }
        var left = Self.components(path)
        if !path.hasPrefix("/") {
            guard let directory = SystemCalls.workingDirectory else { return nil }
            left += Self.components(directory)
        }
        walked = [("/", top)]
        var links = 0
        while let name = left.popLast(), let here = walked.last {
            if name == ".." {
                if walked.count > 1 { walked.removeLast() }
                continue
            }
            powersBeforeEnd = powers.count
            let next = walked.count == 1 ? "/\(name)" : "\(here.path)/\(name)"
            let found = Status.of(next)
            if here.status.user != 0 { powers.append(PathTrust.Power(path: here.path, user: here.status.user)) }
            guard let found else {
                guard left.isEmpty, here.status.isDirectory else { return nil }
                missing = name
                return
            }
            if here.status.isOpen {
                // In a sticky directory, users other than its owner can replace only entries of their own.
                let isOwn = here.status.isSticky
                if !isOwn || found.user != 0 {
                    powers.append(PathTrust.Power(path: next, user: isOwn ? found.user : nil))
                }
            }
            guard found.isLink else {
                walked.append((next, found))
                continue
            }
            links += 1
            // The kernel's own limit (path_resolution(7)).
            guard links <= 40, let target = SystemCalls.linkTarget(next) else { return nil }
            if target.hasPrefix("/") { walked = [("/", top)] }
            left += Self.components(target)
        }
    }

    /// The components in reverse order.
    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." }.reversed()
    }
}

/// What lstat(2) reports about a file.
struct Status {
    let user: UInt32
    let group: UInt32
    let mode: UInt32

    var isLink: Bool { mode & 0o170000 == 0o120000 }
    var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    var isSticky: Bool { mode & 0o1000 != 0 }
    /// Whether anybody besides the owner may write; root's own group does not count. A symbolic link has no mode.
    var isOpen: Bool { !isLink && (mode & 0o002 != 0 || mode & 0o020 != 0 && group != 0) }

    static func of(_ path: String) -> Status? { SystemCalls.status(path) }
}
