/// A file or directory, and everybody who can change where the path to it leads.
///
/// Each component of the path, and of each symbolic link on the way, is looked at. Nothing is opened.
public struct PathTrust: Sendable, Equatable {
    /// Somebody who can put something else in the place of a component, or into the directory at the end.
    struct Power: Sendable, Equatable {
        let path: String
        /// nil: more than one user.
        let user: UInt32?
    }

    /// The owner.
    public let user: UInt32
    public let group: UInt32
    /// Who can exchange a component; not root.
    let powers: [Power]
    /// Whether others than the owner and root can write to what the path names.
    let isOpen: Bool
    private let path: String

    /// nil where nothing is at the path, or this process may not look. A path without a first `/` begins at the working directory.
    public static func of(_ path: String) -> PathTrust? {
        guard let walk = Walk(path), walk.missing == nil else { return nil }
        return PathTrust(walk.walked.last, walk.powers)
    }

    /// The directory in which the file at a path lies, or would lie; nil where there is none.
    ///
    /// - Parameter followsLink: Whether what is done there follows a link at the path itself, and so is done elsewhere.
    public static func ofDirectory(holding path: String, followsLink: Bool) -> PathTrust? {
        guard followsLink else {
            guard let slash = path.lastIndex(of: "/") else { return of(".") }
            return of(slash == path.startIndex ? "/" : String(path[..<slash]))
        }
        guard let walk = Walk(path) else { return nil }
        let directory = walk.missing == nil ? walk.walked.dropLast().last : walk.walked.last
        // Who can exchange the file itself is who can write in the directory, which is told of that.
        return PathTrust(directory, Array(walk.powers.prefix(walk.powersBeforeEnd)))
    }

    private init?(_ end: (path: String, status: Status)?, _ powers: [Power]) {
        guard let end else { return nil }
        (user, group, isOpen, path) = (end.status.user, end.status.group, end.status.isOpen, end.path)
        self.powers = powers
    }

    /// Why somebody beside root and `user` decides what the path leads to; nil where nobody does.
    ///
    /// For root alone (0) that includes what others can write to the file, or into the directory, at its end.
    public func weakness(besides user: UInt32 = 0) -> String? {
        if let power = powers.first(where: { $0.user != user }) {
            return power.user.map { "\(power.path) is the user \($0)'s to exchange" }
                ?? "\(power.path) is for more than one user to exchange"
        }
        if self.user != 0, self.user != user { return "\(path) belongs to the user \(self.user)" }
        return user == 0 && isOpen ? "others than root can write to \(path)" : nil
    }
}

/// The way of a path, through each link.
private struct Walk {
    /// The directories from the root to the end, no link among them, and last what is there.
    var walked: [(path: String, status: Status)] = []
    var powers: [PathTrust.Power] = []
    /// How many are not over the last name alone.
    var powersBeforeEnd = 0
    /// The last name, where nothing has it.
    var missing: String?

    /// nil where there is no way, or this process may not look.
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
                // In a sticky directory an entry is its owner's.
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
            // As many as the kernel follows (path_resolution(7)).
            guard links <= 40, let target = SystemCalls.linkTarget(next) else { return nil }
            if target.hasPrefix("/") { walked = [("/", top)] }
            left += Self.components(target)
        }
    }

    /// The last first.
    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." }.reversed()
    }
}

/// What lstat(2) tells.
struct Status {
    let user: UInt32
    let group: UInt32
    let mode: UInt32

    var isLink: Bool { mode & 0o170000 == 0o120000 }
    var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    var isSticky: Bool { mode & 0o1000 != 0 }
    /// Whether others than the owner may write; root's own group does not count. A link has no mode.
    var isOpen: Bool { !isLink && (mode & 0o002 != 0 || mode & 0o020 != 0 && group != 0) }

    static func of(_ path: String) -> Status? { SystemCalls.status(path) }
}
