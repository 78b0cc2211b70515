internal import NodeObservation
internal import SandboxRegistry

/// All evidence of whether a container lives, seen at one moment. Its `verdict` decides for remove, stop, gc and
/// discover.
struct ContainerEvidence: Sendable, Equatable {
    /// The container's recorded init process.
    enum Init: Sendable, Equatable {
        case notRecorded
        case seen(ProcessReference, ProcessLife)
    }

    /// One of the container's cgroups, either recorded or named by the runtime's state.
    struct OwnCgroup: Sendable, Equatable {
        enum State: Sendable, Equatable {
            /// The cgroup was not read, because the init process lives anyway.
            case notLooked
            case gone
            /// The cgroup is gone, and another has its path: the kernel does not reuse a cgroup's inode.
            case replaced
            /// The processes of the cgroup and of the cgroups beneath it.
            case there([Int32])
            /// Why the processes of the cgroup are not known.
            case unreadable(String)

            var pids: [Int32] { if case .there(let pids) = self { pids } else { [] } }
        }

        var path: String
        var identity: FileIdentity?
        var state: State
        /// Other containers in this cgroup, beneath it or above it. Processes in this cgroup may belong to them.
        var sharers: [String] = []
        /// The sharers whose cgroup is this one or lies beneath it. The cgroup must stay as long as they live.
        var heirs: [String] = []
        /// The processes of a shared cgroup that are known to be this container's, by their root or their age. The
        /// start time is 0 if /proc hides it.
        var ownMembers: [ProcessReference] = []

        /// Whether the processes in the cgroup are not known.
        var isUnreadable: Bool {
            switch state {
            case .unreadable, .notLooked: true
            case .gone, .replaced, .there: false
            }
        }
        var isEmpty: Bool { state == .there([]) }
        var isThere: Bool { if case .there = state { true } else { false } }

        /// The processes that certainly belong to the container.
        var members: [Int32] {
            guard case .there(let pids) = state else { return [] }
            return sharers.isEmpty ? pids : ownMembers.map(\.pid)
        }
    }

    /// What the runtime's state directory says. It is read without executing the runtime.
    enum RuntimeRecord: Sendable, Equatable {
        /// The helper was not asked, or cannot read the state.
        case notAsked
        case absent
        /// A state with the container's id exists, but it is not the recorded container's.
        case ofAnother
        /// The state directory exists, but its file is missing, empty or not understood.
        case unreadable
        /// The init process that the state names, and whether it lives; nil if the state names none.
        case read(ProcessReference?, ProcessLife?)
    }

    /// The result of a search of all the node's processes. It is made if no cgroup of the container is known.
    enum Search: Sendable, Equatable {
        case notMade
        /// Processes whose cgroup is named after the container, or whose root is the container's.
        case found([Int32])
        /// /proc does not show all processes.
        case hidden
    }

    var isAfterReboot = false
    /// The runtime's state directory; nil unless it is the recorded container's.
    var stateDirectory: FileIdentity?
    var recorded = Init.notRecorded
    var cgroups: [OwnCgroup] = []
    var runtime = RuntimeRecord.notAsked
    var search = Search.notMade
}

extension [ContainerEvidence.OwnCgroup] {
    /// The container's processes in these cgroups, sorted and without duplicates.
    var livingMembers: [Int32] { Set(flatMap(\.members)).sorted() }
}

/// Whether a container lives. Only `gone` allows anything of the container to be deleted.
public enum LifeVerdict: Sendable, Equatable {
    case gone
    /// These processes live.
    case alive([Int32])
    case unknown(UnknownLife)
}

/// Why it is not known whether a container lives. The raw value is a stable code for programs.
public enum UnknownLife: String, Codable, Sendable, CaseIterable {
    /// /proc hides which process has the recorded pid.
    case hiddenProcess = "hidden-process"
    /// Nothing of the container is recorded, and /proc hides the processes that a search would have to see.
    case hiddenNode = "hidden-node"
    /// One of the container's cgroups cannot be read.
    case unreadableCgroup = "unreadable-cgroup"
    /// The runtime's state exists but cannot be understood, and there is no other evidence.
    case unreadableState = "unreadable-state"
    /// There is no evidence of the container, and no search was made for it.
    case nothingKnown = "nothing-known"
}

extension ContainerEvidence {
    /// Whether a cgroup of the container is known. It holds all the container's processes, so no search is needed.
    var knowsCgroups: Bool { !cgroups.isEmpty }

    /// The conclusion from the evidence. A living process outweighs missing evidence, and `gone` needs positive
    /// evidence from every source.
    var verdict: LifeVerdict {
        if isAfterReboot { return verdictAfterReboot }
        let living = self.living
        if !living.isEmpty { return .alive(living) }
        if let unknown { return .unknown(unknown) }
        return .gone
    }

    /// A reboot ends all processes and cgroups, so a living process in a state with this id belongs to another
    /// container. That container may keep its files in the same directories and must not lose them.
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

    /// Whether the runtime may be called: it may know the container, and nobody else has a cgroup in which the runtime
    /// might kill processes. A runtime goes by a cgroup's path alone.
    var isRuntimeUsable: Bool {
        switch runtime {
        case .read, .notAsked: cgroups.allSatisfy { $0.state != .replaced && ($0.sharers.isEmpty || !$0.isThere) }
        case .absent, .ofAnother, .unreadable: false
        }
    }

    /// The living init process to signal; nil if none lives.
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

    /// What the user can do about it, as a sentence.
    var remedy: String {
        switch self {
        case .hiddenProcess, .hiddenNode:
            "let podreap's group see processes: mount -o remount,gid=podreap /proc"
        case .unreadableCgroup, .unreadableState, .nothingKnown:
            "see that nothing of it lives, and delete the runtime's state of it by hand"
        }
    }
}
