internal import HelperProtocol

/// What is wrong with a line of `helper.conf`.
public struct PolicyError: Error, Sendable {
    /// Counted from 1; 0 if the error concerns the whole file.
    public var line: Int
    public var reason: StaticString
}

extension Policy {
    /// Reads `helper.conf`: one `key = value` per line; `#` begins a comment.
    ///
    ///     caller = USER-OR-UID
    ///     sandbox-root = PATH [depth N[-M]]
    ///     container-root = PATH [depth N[-M]]
    ///     cgroup-root = PATH [depth N[-M]] [kill]
    ///     netns-root | ipcns-root | utsns-root | userns-root = PATH names uuid | PREFIX* ...
    ///     runtime = NAME PATH STATEROOT [hooks]
    ///
    /// `users` is the text of the passwd(5) file in which callers are looked up by name.
    public init(parsing text: [UInt8], users: [UInt8]) throws(PolicyError) {
        var number = 0
        for line in text.split(separator: 0x0a, omittingEmptySubsequences: false) {
            number += 1
            let code = line.split(separator: 0x23, maxSplits: 1, omittingEmptySubsequences: false)[0]
            let words = code.split { $0 == 0x20 || $0 == 0x09 }
            if words.isEmpty { continue }
            if let reason = read(words, users) { throw PolicyError(line: number, reason: reason) }
        }
        guard !callers.isEmpty else { throw PolicyError(line: 0, reason: "no caller") }
        guard !roots.isEmpty else { throw PolicyError(line: 0, reason: "no root") }
    }

    /// Adds what a line says to the policy; returns the reason if the line is wrong.
    private mutating func read(_ words: [ArraySlice<UInt8>], _ users: [UInt8]) -> StaticString? {
        guard words.count >= 3, words[1].equals("=") else { return "expected KEY = VALUE" }
        let values = Array(words[2...])
        let key = words[0]
        if key.equals("caller") { return readCaller(values, users) }
        if key.equals("runtime") { return readRuntime(values) }
        for kind in RootKind.allCases where key.equals(kind.key) { return readRoot(kind, values) }
        return "unknown key"
    }

    private mutating func readCaller(_ values: [ArraySlice<UInt8>], _ users: [UInt8]) -> StaticString? {
        guard values.count == 1 else { return "a caller is one user" }
        if let uid = values[0].number(upTo: UInt64(UInt32.max) - 1) {
            callers.append(UInt32(uid))
            return nil
        }
        // Only /etc/passwd is searched: a name service would load code into this process.
        for line in users.split(separator: 0x0a) {
            let fields = line.split(separator: 0x3a, omittingEmptySubsequences: false)
            guard fields.count > 2, fields[0] == values[0] else { continue }
            guard let uid = fields[2].number(upTo: UInt64(UInt32.max) - 1) else { break }
            callers.append(UInt32(uid))
            return nil
        }
        return "the caller is not in /etc/passwd"
    }

    private mutating func readRuntime(_ values: [ArraySlice<UInt8>]) -> StaticString? {
        guard values.count == 3 || values.count == 4 && values[3].equals("hooks")
        else { return "expected NAME PATH STATEROOT [hooks]" }
        guard runtimes.count < Limits.runtimes else { return "too many runtimes" }
        guard let name = InlineBytes<65>(values[0]) else { return "the runtime's name is too long" }
        guard !runtimes.contains(where: { $0.seen.name == name }) else { return "the runtime's name is used twice" }
        guard let path = values[1].asPath, let stateRoot = values[2].asPath
        else { return "a path must be absolute, without . and .. and //, and at most 255 bytes" }
        let seen = Welcome.Runtime(name: name, stateRoot: stateRoot, hooks: values.count == 4)
        runtimes.append(RuntimePolicy(seen: seen, path: path))
        return nil
    }

    private mutating func readRoot(_ kind: RootKind, _ words: [ArraySlice<UInt8>]) -> StaticString? {
        var values = words
        let mayKill = kind == .cgroup && values.count > 1 && values[values.count - 1].equals("kill")
        if mayKill { values.removeLast() }
        guard roots.count < Limits.roots else { return "too many roots" }
        guard let path = values[0].asPath
        else { return "a path must be absolute, without . and .. and //, and at most 255 bytes" }
        guard !roots.contains(where: { $0.path == path && $0.kind == kind }) else { return "the root is listed twice" }
        var root = Welcome.Root(kind: kind, minimumDepth: 1, maximumDepth: 1, path: path, mayKill: mayKill)
        if kind.isNamespace {
            guard values.count >= 3, values[1].equals("names")
            else { return "a namespace root needs: names uuid, or names PREFIX*" }
            for pattern in values[2...] {
                let isPrefix = pattern.last == 0x2a && pattern.count > 1 && !pattern.dropLast().contains(0x2a)
                guard isPrefix || pattern.equals("uuid") else { return "a name pattern is uuid or PREFIX*" }
                if root.names.count > 0 { _ = root.names.append(0x20) }
                for byte in pattern { guard root.names.append(byte) else { return "too many name patterns" } }
            }
        } else if values.count > 1 {
            guard values.count == 3, values[1].equals("depth") else {
                return kind == .cgroup ? "expected PATH [depth N[-M]] [kill]" : "expected PATH [depth N[-M]]"
            }
            let bounds = values[2].split(separator: 0x2d, omittingEmptySubsequences: false)
            guard bounds.count <= 2, let least = bounds[0].number(upTo: UInt64(Limits.components)), least > 0,
                let most = bounds[bounds.count - 1].number(upTo: UInt64(Limits.components)), most >= least
            else { return "a depth is N or N-M, from 1 to 16" }
            root.minimumDepth = UInt8(least)
            root.maximumDepth = UInt8(most)
        }
        // Those that older versions of the protocol do not have are the last, so that the others' numbers are the same.
        let known = roots.filter { $0.kind != .userNamespace }.count
        roots.insert(root, at: kind == .userNamespace ? roots.count : known)
        return nil
    }
}

extension ArraySlice<UInt8> {
    /// The number that a text of only decimal digits has; nil if it has a leading zero or exceeds the limit.
    fileprivate func number(upTo limit: UInt64) -> UInt64? {
        guard let first, first != 0x30 || count == 1, let number, number <= limit else { return nil }
        return number
    }

    fileprivate var asPath: InlineBytes<256>? {
        guard first == 0x2f, count > 1, let path = InlineBytes<256>(self) else { return nil }
        for component in dropFirst().split(separator: 0x2f, omittingEmptySubsequences: false) {
            guard let name = InlineBytes<256>(component), name.isFileName else { return nil }
        }
        return path
    }
}

extension InlineBytes {
    /// Nil if the bytes do not fit.
    init?(_ bytes: ArraySlice<UInt8>) {
        self.init()
        for byte in bytes { guard append(byte) else { return nil } }
    }
}
