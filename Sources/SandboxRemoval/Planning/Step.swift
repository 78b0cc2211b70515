internal import HelperClient
public import SandboxRegistry

/// The sandbox or container that a step concerns.
public enum Subject: Sendable, Equatable {
    case sandbox(id: String)
    case container(id: String)

    public var id: String {
        switch self {
        case .sandbox(let id), .container(let id): id
        }
    }
}

/// How a step knows which processes have to end.
public enum EndMethod: Sendable, Equatable {
    /// The container's init process is recorded, and that process still lives.
    case process(ProcessReference)
    /// The init process is gone, but these processes are still in the container's cgroup, because the container had no
    /// PID namespace of its own.
    case remaining([Int32])
    /// No init process is recorded, so the runtime is asked for its state.
    case askRuntime
    /// The machine was booted since the registration, so nothing can live. The runtime is asked, and it must not know a
    /// living container with that id.
    case beforeReboot
}

/// What one step does. Every action is idempotent.
public enum Action: Sendable, Equatable {
    /// Records durably that the sandbox is being removed.
    case markRemoving
    /// Ends the container's processes with `signal`, and with KILL after `grace`. Succeeds when its cgroup is empty.
    case end(EndMethod, signal: UInt8, grace: Duration)
    /// Has the runtime delete the container. Succeeds when the runtime's state and the container's cgroups are gone.
    case delete(runtime: String)
    /// Detaches the mounts at and beneath the directory if it is the recorded one. `mounts` were seen by the snapshot;
    /// the directory's removal handles later ones.
    case unmount(beneath: Container.Directory, mounts: [[UInt8]])
    /// Detaches the pod's shared memory.
    case unmountShm(String)
    case removeDirectory(Container.Directory)
    /// Removes the pod's own cgroups, if no process is in them. One that another sandbox has too is left to that one.
    case removeCgroups([PodCgroup])
    /// Runs the caller's hook right before the namespaces are deleted.
    case beforeNamespaces
    case deleteNamespace(NamespacePin)
    /// Releases a container's name.
    case releaseName(String)
    /// Records that the sandbox is stopped.
    case markNotReady
    /// Releases the pod's name and level, and forgets the sandbox.
    case forget(name: String)
}

/// A step of a plan.
public struct Step: Sendable, Equatable {
    /// The step's index in the plan's `steps`, from 0.
    public let number: Int
    public let subject: Subject
    public let action: Action
    /// The numbers of the steps that must succeed first; all are lower than `number`.
    public let dependencies: [Int]

    /// A stable word for programs.
    public var verb: String {
        switch action {
        case .markRemoving: "mark"
        case .end: "end"
        case .delete: "delete"
        case .unmount, .unmountShm: "unmount"
        case .removeDirectory: "remove-directory"
        case .removeCgroups: "remove-cgroups"
        case .beforeNamespaces: "before-namespaces"
        case .deleteNamespace: "delete-namespace"
        case .releaseName: "release-name"
        case .markNotReady: "mark-stopped"
        case .forget: "forget"
        }
    }

    /// The path, name, process or runtime that the step acts on; empty if the subject is enough.
    public var target: String {
        switch action {
        case .markRemoving, .markNotReady, .beforeNamespaces: ""
        case .end(.process(let process), _, _): "\(process.pid)"
        case .end: ""
        case .delete(let runtime): runtime
        case .unmount(let directory, _): directory.path
        case .unmountShm(let path): path
        case .removeDirectory(let directory): directory.path
        case .removeCgroups(let cgroups): cgroups.first?.path ?? ""
        case .deleteNamespace(let pin): pin.path
        case .releaseName(let name), .forget(let name): name
        }
    }
}

extension Step: CustomStringConvertible {
    /// A description for people, without the subject.
    public var description: String {
        switch action {
        case .markRemoving: "mark as being removed"
        case .end(let method, let signal, let grace): Self.describe(method, signal, grace)
        case .delete(let runtime): "delete from \(runtime)"
        case .unmount(let directory, let mounts):
            "unmount \(mounts.count == 1 ? printable(mounts[0]) : "\(mounts.count) mounts beneath \(directory.path)")"
        case .unmountShm(let path): "unmount shm \(path)"
        case .removeDirectory(let directory): "remove \(directory.path)"
        case .removeCgroups(let cgroups):
            "remove the pod's \(cgroups.count == 1 ? "cgroup \(cgroups[0].path)" : "cgroups \(cgroups[0].path) and \(cgroups.count - 1) more")"
        case .beforeNamespaces: "call the caller's command before the namespaces go"
        case .deleteNamespace(let pin): "delete \(pin.kind) namespace \(pin.path)"
        case .releaseName(let name): "release the name \(name)"
        case .markNotReady: "mark as stopped"
        case .forget(let name): "release the name \(name) and forget the sandbox"
        }
    }

    private static func describe(_ method: EndMethod, _ signal: UInt8, _ grace: Duration) -> String {
        let kills = signal == Signal.kill
        let verb = kills ? "kill" : "send \(Signal.name(of: signal)) to"
        let then = kills ? " and wait" : ", KILL after \(grace.formattedSeconds), and wait"
        return switch method {
        case .process(let process): "\(verb) process \(process.pid)\(then) for its end"
        case .remaining(let pids):
            "kill what is left in its cgroup (\(pids.map(String.init).joined(separator: ", "))) and wait for the end"
        case .askRuntime: "ask the runtime for its state; where it runs, \(verb) it\(then) for its end"
        case .beforeReboot: "see that nothing runs: it was registered before the last boot"
        }
    }
}

extension Duration {
    /// `10 s`, `1.5 s`.
    var formattedSeconds: String {
        let milliseconds = Int(self / .milliseconds(1))
        let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        let digits = String(1000 + rest).dropFirst().reversed().drop { $0 == "0" }.reversed()
        return digits.isEmpty ? "\(whole) s" : "\(whole).\(String(digits)) s"
    }
}
