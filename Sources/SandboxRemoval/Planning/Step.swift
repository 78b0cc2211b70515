internal import HelperClient
public import SandboxRegistry

/// Whose remains a step is about.
public enum Subject: Sendable, Equatable {
    case sandbox(id: String)
    case container(id: String)

    public var id: String {
        switch self {
        case .sandbox(let id), .container(let id): id
        }
    }
}

/// How it is known which process has to end.
public enum EndMethod: Sendable, Equatable {
    /// The container's init is recorded, and it is that process that lives now.
    case process(ProcessReference)
    /// The init is gone, but these processes are still in the container's cgroup: they never lived in a PID namespace
    /// of its own.
    case remaining([Int32])
    /// No process is recorded: the runtime is asked for its state.
    case askRuntime
    /// The machine was booted since: nothing can live. The runtime is asked, and must not know a living container with that id.
    case beforeReboot
}

/// What one step does. Each can be asked for again: what is so already is done.
public enum Action: Sendable, Equatable {
    /// Notes durably that the sandbox is being removed.
    case markRemoving
    /// Ends the container's processes: `signal`, and KILL after `grace`; done when its cgroup is empty.
    case end(EndMethod, signal: UInt8, grace: Duration)
    /// Has the runtime delete the container; done when its state and its cgroups are gone.
    case delete(runtime: String)
    /// Detaches what is mounted over the directory and beneath it, if it is the recorded one. These mounts were seen; what is mounted later is
    /// met by its removal.
    case unmount(beneath: Container.Directory, mounts: [[UInt8]])
    /// Detaches the pod's shared memory.
    case unmountShm(String)
    case removeDirectory(Container.Directory)
    /// Calls what the caller wants done right before the namespaces are deleted.
    case beforeNamespaces
    case deleteNamespace(NamespacePin)
    /// Gives a container's name back.
    case releaseName(String)
    /// Notes that the sandbox is stopped.
    case markNotReady
    /// Gives the pod's name and level back, and forgets the sandbox.
    case forget(name: String)
}

/// A step of a plan.
public struct Step: Sendable, Equatable {
    /// Its place in the plan's `steps`, from 0.
    public let number: Int
    public let subject: Subject
    public let action: Action
    /// The steps that must have succeeded before; all have lower numbers.
    public let dependencies: [Int]

    /// A word for programs; it does not change.
    public var verb: String {
        switch action {
        case .markRemoving: "mark"
        case .end: "end"
        case .delete: "delete"
        case .unmount, .unmountShm: "unmount"
        case .removeDirectory: "remove-directory"
        case .beforeNamespaces: "before-namespaces"
        case .deleteNamespace: "delete-namespace"
        case .releaseName: "release-name"
        case .markNotReady: "mark-stopped"
        case .forget: "forget"
        }
    }

    /// The path, name, process or runtime that it is about; empty where the subject says it all.
    public var target: String {
        switch action {
        case .markRemoving, .markNotReady, .beforeNamespaces: ""
        case .end(.process(let process), _, _): "\(process.pid)"
        case .end: ""
        case .delete(let runtime): runtime
        case .unmount(let directory, _): directory.path
        case .unmountShm(let path): path
        case .removeDirectory(let directory): directory.path
        case .deleteNamespace(let pin): pin.path
        case .releaseName(let name), .forget(let name): name
        }
    }
}

extension Step: CustomStringConvertible {
    /// A sentence for people, without its subject.
    public var description: String {
        switch action {
        case .markRemoving: "mark as being removed"
        case .end(let method, let signal, let grace): Self.describe(method, signal, grace)
        case .delete(let runtime): "delete from \(runtime)"
        case .unmount(let directory, let mounts):
            "unmount \(mounts.count == 1 ? printable(mounts[0]) : "\(mounts.count) mounts beneath \(directory.path)")"
        case .unmountShm(let path): "unmount shm \(path)"
        case .removeDirectory(let directory): "remove \(directory.path)"
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
