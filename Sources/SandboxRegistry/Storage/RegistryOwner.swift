package import Ownership

// A process works in the registry's directory as that directory's owner. If root worked there, it would follow what the
// owner, who may be under an attacker's control, puts in its way: links at the names of files that it opens, creates,
// gives away or deletes. A root process therefore becomes the owner before it opens a registry, and `Registry` refuses
// to open it otherwise. A process that needs root's view of the node stays root, and gets the records from a process
// that became the owner (CONTRIBUTING.md, "podreap as root").

extension Registry {
    /// The user that this process must become before it opens the registry at `path`: its directory's owner, if this
    /// process is root and the owner is not. nil if it need not become another user, or if there is no directory and
    /// nobody but root can make one.
    ///
    /// Throws `.exposed` if somebody besides root and the owner controls where the path leads.
    package static func ownerToBecome(_ path: String) throws(RegistryError) -> ProcessUser? {
        guard ProcessUser.isRoot else { return nil }
        let trust = PathTrust.ofDirectory(holding: path, followsLink: true)
        if let weakness = trust.weakness(besides: trust.end?.user ?? 0) {
            throw .exposed(path: path, problem: weakness)
        }
        guard let directory = trust.end, directory.user != 0 else { return nil }
        guard let owner = ProcessUser(directory.user, directoryGroup: directory.group) else {
            throw .exposed(
                path: path, problem: "its directory's owner \(directory.user) is no user, and its group is root's")
        }
        return owner
    }

    /// Throws if this process is root and the directory does not belong to root.
    static func checkOwner(_ path: String) throws(RegistryError) {
        if let owner = try ownerToBecome(path) {
            throw .exposed(path: path, problem: "its directory belongs to the user \(owner.user); open it as that user")
        }
    }
}
