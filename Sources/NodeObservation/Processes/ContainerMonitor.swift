internal import LinuxSystem

/// A process of a container runtime that waits for containers to end: containerd's shim, or conmon.
public struct ContainerMonitor: Sendable, Equatable {
    public let pid: Int32
    /// Clock ticks after boot.
    public let startTime: UInt64
    public let program: String
    /// The container ids on its command line.
    public let containers: [String]
    /// The OCI runtime that it calls, as its command line names it; nil for a shim, whose options are in a file.
    public let runtime: String?
    /// The runtime's `--root`, if the command line says one.
    public let runtimeRoot: String?
    /// conmon's bundle.
    public let bundle: String?
    /// The socket and the namespace of a shim's containerd.
    public let address: String?
    public let namespace: String?

    /// conmon ends with its one container; a shim waits until it is told to end.
    public var endsByItself: Bool { isConmon(program) }

    /// All monitors on this machine.
    public static func all() throws(ObservationError) -> [ContainerMonitor] {
        var found: [ContainerMonitor] = []
        for name in try subdirectories(of: Array("/proc".utf8)) {
            guard let pid = name[...].number(as: Int32.self) else { continue }
            if let monitor = try of(pid: pid) { found.append(monitor) }
        }
        return found
    }

    /// The monitor with this pid; nil if no process has it, or one that is no monitor.
    public static func of(pid: Int32) throws(ObservationError) -> ContainerMonitor? {
        // The name is checked first, because the command line of a process that hangs may not be readable.
        guard let status = try ProcessStatus.of(pid: pid),
            status.name.hasPrefix("conmon") || status.name.hasPrefix("containerd-shim"),
            let bytes = try? contents(of: Array("/proc/\(pid)/cmdline".utf8))
        else { return nil }
        return ContainerMonitor(
            pid: pid, startTime: status.startTime, arguments: bytes.split(separator: 0).map(\.text))
    }

    init?(pid: Int32, startTime: UInt64 = 0, arguments: [String]) {
        guard let program = arguments.first?.split(separator: "/").last.map(String.init),
            program.hasPrefix("containerd-shim") || isConmon(program)
        else { return nil }
        let options = OptionValues(arguments.dropFirst())
        let isConmon = isConmon(program)
        containers = options.values(of: isConmon ? ["-c", "--cid"] : ["-id", "--id"])
        guard !containers.isEmpty else { return nil }
        self.pid = pid
        self.startTime = startTime
        self.program = program
        runtime = isConmon ? options.values(of: ["-r", "--runtime"]).last : nil
        bundle = isConmon ? options.values(of: ["-b", "--bundle"]).last : nil
        let passedOn = options.values(of: ["--runtime-arg"])
        runtimeRoot = isConmon ? OptionValues(passedOn[...]).values(of: ["--root"]).last : nil
        address = isConmon ? nil : options.values(of: ["-address", "--address"]).last
        namespace = isConmon ? nil : options.values(of: ["-namespace", "--namespace"]).last
    }

    /// Whether it is one of the node's own processes. A container can start a program under any name, with any command
    /// line, but not in this process's mount namespace.
    public var isOfNode: Bool {
        guard let own = ProcessObservation.namespace("mnt", of: ProcessTable.own) else { return false }
        return ProcessObservation.namespace("mnt", of: pid) == own
    }

    /// Where the monitor finds a program that it calls by name, as execvp(3) would in its environment; nil if it does
    /// not, or if this user may not know.
    public func path(of name: String) -> String? {
        guard let bytes = try? contents(of: Array("/proc/\(pid)/environ".utf8)) else { return nil }
        let key = Array("PATH=".utf8)
        guard let path = bytes.split(separator: 0).first(where: { $0.starts(with: key) }) else { return nil }
        return path.dropFirst(key.count).split(separator: UInt8(ascii: ":")).lazy
            .filter { $0.first == slash }.map { "\($0.text)/\(name)" }
            .first { refusal(toExecute: $0) == nil }
    }
}

private func isConmon(_ program: String) -> Bool { program == "conmon" }

/// A command line's options, whose value is the next argument or stands behind a `=`.
private struct OptionValues {
    private let arguments: [String]

    init(_ arguments: ArraySlice<String>) { self.arguments = Array(arguments) }

    func values(of names: [String]) -> [String] {
        var found: [String] = []
        for (index, argument) in arguments.enumerated() {
            if names.contains(argument), index + 1 < arguments.count {
                found.append(arguments[index + 1])
            } else if let name = names.first(where: { argument.hasPrefix("\($0)=") }) {
                found.append(String(argument.dropFirst(name.count + 1)))
            }
        }
        return found
    }
}
