/// A user whom a root process can become, for good: before it has threads, so that nothing was done as root meanwhile.
public struct ProcessUser: Sendable, Equatable {
    public let user: UInt32
    public let group: UInt32
    /// All groups, the first included.
    let groups: [UInt32]

    /// The user as a login would have it, with its groups of group(5).
    ///
    /// - Parameter directoryGroup: The group of a user that passwd(5) does not know; not root's.
    public init?(_ user: UInt32, directoryGroup: UInt32) {
        if let account = SystemCalls.account(user) {
            (group, groups) = (account.group, account.groups)
        } else {
            guard directoryGroup != 0 else { return nil }
            (group, groups) = (directoryGroup, [directoryGroup])
        }
        self.user = user
    }

    /// Whether this process acts as root.
    public static var isRoot: Bool { SystemCalls.effectiveUser == 0 }

    /// Becomes the user: all ids and all groups, without a capability, and with no way back. The user's other processes can signal this one, and
    /// not trace it: what root has opened in it stays with it (PR_SET_DUMPABLE, prctl(2)).
    public func become() throws(BecomingError) { try SystemCalls.become(user, group, groups) }
}

/// Some ids may have changed: the process is to be ended.
public struct BecomingError: Error, Sendable, Equatable, CustomStringConvertible {
    let user: UInt32
    let call: String
    let problem: String

    public var description: String { "root cannot become the user \(user): \(call): \(problem)" }
}
