/// Why a sandbox is not gone: what was found, the most important first.
public struct Explanation: Sendable, Equatable, Codable {
    public var sandbox: String
    /// As its name is reserved.
    public var pod: String
    public var findings: [Finding]

    /// Whether something on this node keeps the sandbox from being removed.
    public var isBlocked: Bool { findings.contains { $0.weight == .blocks } }
}

/// One thing that was found: what it is, how that is known, and what helps.
public struct Finding: Sendable, Equatable, Codable {
    /// For programs; a name does not change its meaning.
    public enum Cause: String, Sendable, Codable, CaseIterable {
        /// A podreap is at work on it.
        case underWay
        /// Nobody has asked podreap to remove it.
        case notAsked
        /// The machine was booted since it was registered.
        case afterReboot
        /// A step of the last removal failed; the findings that follow may say why.
        case failedStep
        /// A process waits in the kernel and does not end.
        case waitingProcess
        /// A process's cgroup is frozen.
        case frozenCgroup
        /// A process is traced, so that it does not end.
        case tracedProcess
        /// A process has died, but its parent does not reap it; so its PID namespace stays.
        case unreapedProcess
        /// A process lives.
        case livingProcess
        /// A filesystem does not answer.
        case silentFilesystem
        /// A filesystem answers with an error only.
        case failingFilesystem
        /// A mount is still there in this mount namespace.
        case mount
        /// Another mount namespace has a copy of a mount.
        case mountCopy
        /// Processes that are not the pod's live in its namespace, or hold it at another place.
        case namespaceHeld
        /// An entry is immutable or append-only.
        case immutableEntry
        /// A directory is not the one that was registered.
        case replaced
        /// Processes that are not the pod's have files there open, or work in them.
        case filesInUse
        /// The kubelet's volumes of the pod are still mounted.
        case kubeletVolume
        /// Nothing on this node is the cause, as far as can be seen.
        case elsewhere
        /// What could not be looked at.
        case unseen
    }

    /// What it means for the removal.
    public enum Weight: String, Sendable, Codable {
        /// It keeps the sandbox from being removed.
        case blocks
        /// The sandbox can be removed; something of it stays in use.
        case keeps
        case note
    }

    /// How it is known.
    public struct Evidence: Sendable, Equatable, Codable {
        public var text: String
        public var pid: Int32?
        public var path: String?
        /// The inode of a mount namespace.
        public var mountNamespace: UInt64?

        public init(_ text: String, pid: Int32? = nil, path: String? = nil, mountNamespace: UInt64? = nil) {
            self.text = text
            self.pid = pid
            self.path = path
            self.mountNamespace = mountNamespace
        }
    }

    public var cause: Cause
    public var weight: Weight
    /// A container's name, or `sandbox`.
    public var subject: String
    /// One sentence.
    public var text: String
    public var evidence: [Evidence]
    /// What helps, the mildest first; commands are for a root shell.
    public var remedies: [String]

    public init(
        _ cause: Cause, _ weight: Weight, of subject: String = "sandbox", _ text: String, _ evidence: [Evidence] = [],
        remedies: [String] = []
    ) {
        self.cause = cause
        self.weight = weight
        self.subject = subject
        self.text = text
        self.evidence = evidence
        self.remedies = remedies
    }
}

/// A path as a shell takes it.
func quoted(_ path: String) -> String {
    let isPlain = path.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "/._-+:=@,".utf8.contains(byte)
    }
    return isPlain && !path.isEmpty
        ? path : "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
