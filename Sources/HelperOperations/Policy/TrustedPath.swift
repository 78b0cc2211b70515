internal import HelperProtocol

/// An absolute path that the policy names, or the path of the policy itself.
extension InlineBytes<256> {
    /// Opens the entry at this path, resolving one component at a time from `/`.
    ///
    /// Throws `refused` with `rule`, and with the part of the path that a user other than root can create, replace,
    /// rename or write, now or later. A directory on the way that others may write must be sticky, and the next
    /// component must exist and belong to root: if it were missing, anyone could create it.
    ///
    /// - Parameter strictly: Whether the path itself must not be a directory that others may write, even a sticky one.
    func openTrusted(_ mode: OpenMode, else rule: Rule, strictly: Bool = false) throws(Outcome) -> Descriptor {
        var isFirm = true
        return try walk(mode, rule, strictly, &isFirm)
    }

    /// Throws as `openTrusted` does, and also if the entry is neither a directory nor a regular file. The entry may be
    /// missing.
    ///
    /// Returns whether only root can ever change or create what is at this path, so that it need not be checked again.
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
            // In a directory that others may write, another user may have mounted a filesystem that reports any owner
            // it likes.
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
