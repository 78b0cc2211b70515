package import Ownership

// A process works in the registry's directory as that directory's owner. Root that worked there would follow what the owner, who may be under an
// attacker's control, puts in its way: links at the names of files that it opens, makes, gives away or deletes. So a root process becomes
// the owner before it opens a registry, and `Registry` refuses it otherwise. What takes root's eyes stays root and has the records from
// a process that became the owner (CONTRIBUTING.md, "podreap as root").

extension Registry {
    /// The user whom this process has to become before it opens the registry at `path`: its directory's owner, where this
    /// process is root and that owner is not. nil: nobody, also where there is no directory.
    ///
    /// Throws `.exposed` where somebody beside root and the owner decides what the path leads to.
    package static func ownerToBecome(_ path: String) throws(RegistryError) -> ProcessUser? {
        guard ProcessUser.isRoot, let directory = PathTrust.ofDirectory(holding: path, followsLink: true) else {
            return nil
        }
        if let weakness = directory.weakness(besides: directory.user) {
            throw .exposed(path: path, problem: weakness)
        }
        if directory.user == 0 { return nil }
        guard let owner = ProcessUser(directory.user, directoryGroup: directory.group) else {
            throw .exposed(
                path: path, problem: "its directory's owner \(directory.user) is no user, and its group is root's")
        }
        return owner
    }

    /// Throws where this process is root, and the directory is not its own.
    static func checkOwner(_ path: String) throws(RegistryError) {
        if let owner = try ownerToBecome(path) {
            throw .exposed(path: path, problem: "its directory belongs to the user \(owner.user); open it as that user")
        }
    }
}
