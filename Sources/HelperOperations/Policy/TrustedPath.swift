internal import HelperProtocol

/// An absolute path of the policy, or the policy's own.
extension InlineBytes<256> {
    /// Opens what lies there, from `/` down, a component at a time.
    ///
    /// Throws `refused` with `rule`, and the part of the path that somebody else than root may make, replace, rename or write, now or
    /// later: a directory on the way that others may write has to be sticky, and what is next on the way has to be there, and
    /// to be root's. Where that is missing, anyone could make it.
    ///
    /// - Parameter strictly: Not even a sticky directory that others may write is taken at the path itself.
    func openTrusted(_ mode: OpenMode, else rule: Rule, strictly: Bool = false) throws(Outcome) -> Descriptor {
        var isFirm = true
        return try walk(mode, rule, strictly, &isFirm)
    }

    /// Throws as `openTrusted` does, and where something else than a directory or regular file is there; nothing may be there yet.
    ///
    /// Whether only root can ever change what is there, or make it: then it need not be looked at again.
    func check(else rule: Rule, strictly: Bool = false) throws(Outcome) -> Bool {
        var isFirm = true
        do throws(Outcome) {
            let status = try walk(.path, rule, strictly, &isFirm).status()
            guard status.isDirectory || status.isRegular else { throw .refused(rule, detail: array) }
            return isFirm
        } catch {
            guard error.isMissingEntry else { throw error }
            return false
        }
    }

    private func walk(
        _ mode: OpenMode, _ rule: Rule, _ strictly: Bool, _ isFirm: inout Bool
    ) throws(Outcome) -> Descriptor {
        let root: StaticString = "/"
        var directory = try Descriptor.absolute(InlineBytes<256>(root).terminated, .pathOfDirectory)
        var above = try directory.status()
        guard above.onlyRootReplaces else { throw .refused(rule, detail: text(root)) }
        var name = InlineBytes<256>()
        for index in 1...count {
            if index < count, self[index] != 0x2f {
                _ = name.append(self[index])
                continue
            }
            let isLast = index == count
            do throws(Outcome) {
                directory = try directory.openMounted(name.terminated, isLast ? mode : .path)
            } catch {
                if error.isMissingEntry, above.othersMayWrite { throw .refused(rule, detail: beginning(index)) }
                throw error
            }
            let status = try directory.status()
            // Where others may make directories, they may have mounted a filesystem of their own, which names any owner.
            guard status.onlyRootReplaces, isLast || status.isDirectory, !isLast || !strictly || !status.othersMayWrite,
                !above.othersMayWrite || status.mount == above.mount
            else { throw .refused(rule, detail: beginning(index)) }
            if above.othersMayWrite { isFirm = false }
            above = status
            name = InlineBytes<256>()
        }
        return directory
    }

    private func beginning(_ count: Int) -> [UInt8] { Array(array[..<count]) }
}
