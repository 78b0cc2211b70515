internal import LinuxSystem

/// A user that a root process can become permanently, before it starts threads, so that nothing is done as root
/// meanwhile.
public struct ProcessUser: Sendable, Equatable {
    public let user: UInt32
    public let group: UInt32
    /// All groups, including `group`.
    let groups: [UInt32]

    /// The user as after a login, with its groups of group(5).
    ///
    /// - Parameter directoryGroup: The group of a user that passwd(5) does not know; it must not be root's.
    public init?(_ user: UInt32, directoryGroup: UInt32) {
        if let account = account(user) {
            (group, groups) = (account.group, account.groups)
        } else {
            guard directoryGroup != 0 else { return nil }
            (group, groups) = (directoryGroup, [directoryGroup])
        }
        self.user = user
    }

    /// Whether this process acts as root.
    public static var isRoot: Bool { effectiveUser == 0 }

    /// Becomes the user permanently: all ids and all groups, without any capability. The user's other processes can
    /// signal this one but not trace it, so that they cannot reach what root has opened in it (PR_SET_DUMPABLE,
    /// prctl(2)).
    public func become() throws(BecomingError) {
        do throws(SystemCallError) { try becomeUser(user, group, groups) } catch {
            throw BecomingError(user: user, problem: "\(error)")
        }
    }
}

/// Why a process could not become another user. Some ids may have changed already, so the process has to end.
public struct BecomingError: Error, Sendable, Equatable, CustomStringConvertible {
    let user: UInt32
    let problem: String

    public var description: String { "root cannot become the user \(user): \(problem)" }
}
