/// Why a sandbox is not gone: the findings, the most important first.
public struct Explanation: Sendable, Equatable, Codable {
    public var sandbox: String
    /// The pod's name as the registry reserves it.
    public var pod: String
    public var findings: [Finding]

    /// Whether something on this node keeps the sandbox from being removed.
    public var isBlocked: Bool { findings.contains { $0.weight == .blocks } }
}

/// One finding: what was found, the evidence for it, and what helps.
public struct Finding: Sendable, Equatable, Codable {
    /// For programs; a name never changes its meaning.
    public enum Cause: String, Sendable, Codable, CaseIterable {
        /// A podreap is working on the sandbox.
        case underWay
        /// Nobody has asked podreap to remove it.
        case notAsked
        /// The machine was rebooted after the sandbox was registered.
        case afterReboot
        /// A step of the last removal failed; the findings that follow may say why.
        case failedStep
        /// A process waits in the kernel and does not end.
        case waitingProcess
        /// A process's cgroup is frozen.
        case frozenCgroup
        /// A process is traced, which keeps it from ending.
        case tracedProcess
        /// A process has died but its parent does not reap it, so its PID namespace stays.
        case unreapedProcess
        /// A process lives.
        case livingProcess
        /// A filesystem does not answer.
        case silentFilesystem
        /// A filesystem answers only with an error.
        case failingFilesystem
        /// A mount is still present in this mount namespace.
        case mount
        /// Another mount namespace has a copy of a mount.
        case mountCopy
        /// Processes that do not belong to the pod live in its namespace, or the namespace is also mounted elsewhere.
        case namespaceHeld
        /// An entry is immutable or append-only.
        case immutableEntry
        /// A directory is not the one that was registered.
        case replaced
        /// Processes that do not belong to the pod have its files open, or work in its directories.
        case filesInUse
        /// The kubelet's volumes of the pod are still mounted.
        case kubeletVolume
        /// The runtime that manages the pod does not run.
        case runtimeGone
        /// The runtime that manages the pod was stopped by a signal.
        case runtimeStopped
        /// The runtime that manages the pod does not answer.
        case runtimeSilent
        /// The last error of the runtime that manages the pod.
        case runtimeError
        /// A shim or conmon was stopped by a signal.
        case monitorStopped
        /// A shim or conmon is gone while its containers live.
        case monitorGone
        /// The OCI runtime has lost the state of a container that lives.
        case lostState
        /// A root filesystem cannot be unmounted because something uses it.
        case busyRootfs
        /// A CNI plugin fails, or does not end.
        case network
        /// The runtime keeps the pod running, and nobody has asked it to stop.
        case running
        /// As far as can be seen, nothing on this node is the cause.
        case elsewhere
        /// Something could not be observed.
        case unseen
    }

    /// What the finding means for the removal.
    public enum Weight: String, Sendable, Codable {
        /// It keeps the sandbox from being removed.
        case blocks
        /// The sandbox can be removed, but part of it stays in use.
        case keeps
        case note
    }

    /// How the finding is known.
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
    /// What helps, the mildest remedy first; commands are for a root shell.
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

/// A path quoted for a shell.
func quoted(_ path: String) -> String {
    let isPlain = path.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "/._-+:=@,".utf8.contains(byte)
    }
    return isPlain && !path.isEmpty
        ? path : "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
