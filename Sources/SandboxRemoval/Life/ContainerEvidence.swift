internal import NodeObservation
internal import SandboxRegistry

/// All that is known of whether a container lives, seen at one moment. `verdict` decides for remove, stop, gc and discover alike.
struct ContainerEvidence: Sendable, Equatable {
    /// The recorded init.
    enum Init: Sendable, Equatable {
        case notRecorded
        case seen(ProcessReference, ProcessLife)
    }

    /// One of the container's cgroups: recorded, or named by the runtime's state.
    struct OwnCgroup: Sendable, Equatable {
        enum State: Sendable, Equatable {
            /// Nobody has looked, as the init lives anyway.
            case notLooked
            /// It is not there, or another one has its path: the kernel does not give an inode out again.
            case gone
            /// Its processes, with those of the cgroups beneath it.
            case there([Int32])
            /// Why its processes are not known.
            case unreadable(String)
        }

        var path: String
        var identity: FileIdentity?
        var state: State
        /// Containers that live in it, beneath it or above it: what is in it may be theirs.
        var sharers: [String] = []
        /// Those of them whose cgroup is this one or lies beneath it, so that it must stay as long as they.
        var heirs: [String] = []
        /// Those of a shared cgroup's processes that have the container's files as their root.
        var ownMembers: [Int32] = []

        /// Whether it is not known what lives in it.
        var isUnreadable: Bool {
            switch state {
            case .unreadable, .notLooked: true
            case .gone, .there: false
            }
        }
        var isEmpty: Bool { state == .there([]) }
        var isThere: Bool { if case .there = state { true } else { false } }

        /// The processes that are the container's for sure.
        var members: [Int32] {
            guard case .there(let pids) = state else { return [] }
            return sharers.isEmpty ? pids : ownMembers
        }
    }

    /// What the runtime's state directory says, without executing the runtime.
    enum RuntimeRecord: Sendable, Equatable {
        /// The helper was not asked, or cannot tell.
        case notAsked
        case absent
        /// It has the container's id, but is not what was recorded.
        case ofAnother
        /// It is there, but its file is missing, empty or not understood.
        case unreadable
        /// `life` is of the init that it names; nil where it names none.
        case read(ProcessReference?, ProcessLife?)
    }

    /// Where nothing is recorded that could be looked at, every process of the node is.
    enum Search: Sendable, Equatable {
        case notMade
        /// Processes whose cgroup is called after the container, or whose root is the container's.
        case found([Int32])
        /// /proc does not show all processes.
        case hidden
    }

    var isAfterReboot = false
    /// The runtime's state directory, where it is the container's.
    var stateDirectory: FileIdentity?
    var recorded = Init.notRecorded
    var cgroups: [OwnCgroup] = []
    var runtime = RuntimeRecord.notAsked
    var search = Search.notMade
}

extension [ContainerEvidence.OwnCgroup] {
    /// The container's processes in them, sorted, each once.
    var livingMembers: [Int32] { Set(flatMap(\.members)).sorted() }
}

/// Whether a container lives. Nothing is deleted beneath anything but `gone`.
public enum LifeVerdict: Sendable, Equatable {
    case gone
    /// These processes live.
    case alive([Int32])
    case unknown(UnknownLife)
}

/// Why it is not known whether a container lives. The raw value is a code for programs; it does not change.
public enum UnknownLife: String, Codable, Sendable, CaseIterable {
    /// /proc hides whose pid the recorded one is.
    case hiddenProcess = "hidden-process"
    /// Nothing of the container is recorded, and /proc hides the processes that would have to be looked at.
    case hiddenNode = "hidden-node"
    /// A cgroup cannot be read.
    case unreadableCgroup = "unreadable-cgroup"
    /// The runtime's state is there but not to be understood, and nothing else is known.
    case unreadableState = "unreadable-state"
    /// Nothing is known of the container, and nobody has looked for it.
    case nothingKnown = "nothing-known"
}

extension ContainerEvidence {
    /// Whether anything tells of the container's processes beside a search of the whole node: a cgroup, which holds them all.
    var knowsCgroups: Bool { !cgroups.isEmpty }

    /// Decides. Whatever lives counts before whatever is not known; `gone` takes positive evidence from every side.
    var verdict: LifeVerdict {
        if isAfterReboot { return verdictAfterReboot }
        let living = self.living
        if !living.isEmpty { return .alive(living) }
        if let unknown { return .unknown(unknown) }
        return .gone
    }

    /// A reboot ends all processes and cgroups. A runtime's state with the same id and a living process is another container's, but
    /// who keeps its files in the same directories must not lose them.
    private var verdictAfterReboot: LifeVerdict {
        if case .read(let process?, .alive) = runtime { .alive([process.pid]) } else { .gone }
    }

    private var living: [Int32] {
        var pids: [Int32] = []
        if case .seen(let process, .alive) = recorded { pids.append(process.pid) }
        if case .read(let process?, .alive) = runtime { pids.append(process.pid) }
        pids += cgroups.livingMembers
        if case .found(let found) = search { pids += found }
        var known: Set<Int32> = []
        return pids.filter { known.insert($0).inserted }
    }

    private var unknown: UnknownLife? {
        if case .seen(_, .hidden) = recorded { return .hiddenProcess }
        if case .read(_, .hidden) = runtime { return .hiddenProcess }
        if cgroups.contains(where: \.isUnreadable) { return .unreadableCgroup }
        if knowsCgroups { return nil }
        switch search {
        case .found: return nil
        case .hidden: return runtime == .unreadable ? .unreadableState : .hiddenNode
        case .notMade: return runtime == .unreadable ? .unreadableState : .nothingKnown
        }
    }

    /// Whether the runtime may be called: it knows the container, and nobody else lives in its cgroups, whom it might kill.
    var isRuntimeUsable: Bool {
        switch runtime {
        case .read, .notAsked: cgroups.allSatisfy { $0.sharers.isEmpty || !$0.isThere }
        case .absent, .ofAnother, .unreadable: false
        }
    }

    /// The init that a signal to the container is meant for, where it lives.
    var livingInit: ProcessReference? {
        if case .seen(let process, .alive) = recorded { return process }
        if case .read(let process?, .alive) = runtime { return process }
        return nil
    }
}

extension UnknownLife {
    /// Why it is not known, as a sentence for people.
    var meaning: String {
        switch self {
        case .hiddenProcess:
            "/proc hides the container's process (hidepid of proc(5)), so it is not known whether it lives"
        case .hiddenNode:
            "nothing of the container's processes is recorded, and /proc hides those of the node (hidepid of proc(5))"
        case .unreadableCgroup: "one of the container's cgroups cannot be read, so it is not known what lives in it"
        case .unreadableState:
            "the runtime's state of the container is damaged, and nothing else is known of its processes"
        case .nothingKnown: "nothing is known of the container's processes"
        }
    }

    /// What leads on.
    var remedy: String {
        switch self {
        case .hiddenProcess, .hiddenNode:
            "let podreap's group see processes: mount -o remount,gid=podreap /proc"
        case .unreadableCgroup, .unreadableState, .nothingKnown:
            "see that nothing of it lives, and delete the runtime's state of it by hand"
        }
    }
}
