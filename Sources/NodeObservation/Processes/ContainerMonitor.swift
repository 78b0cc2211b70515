/// A process of a container runtime that waits for containers to end: containerd's shim, or conmon.
public struct ContainerMonitor: Sendable, Equatable {
    public let pid: Int32
    /// Clock ticks after boot.
    public let startTime: UInt64
    public let program: String
    /// The container ids on its command line.
    public let containers: [String]
    /// The socket of the containerd that a shim belongs to; nil for conmon.
    public let address: String?

    /// conmon ends with its one container; a shim waits until it is told to end.
    public var endsByItself: Bool { program == "conmon" }

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
            program.hasPrefix("containerd-shim") || program == "conmon"
        else { return nil }
        let flags = program == "conmon" ? ["-c", "--cid"] : ["-id", "--id"]
        containers = zip(arguments, arguments.dropFirst()).filter { flags.contains($0.0) }.map(\.1)
        guard !containers.isEmpty else { return nil }
        address = zip(arguments, arguments.dropFirst()).first { $0.0 == "-address" || $0.0 == "--address" }?.1
        self.pid = pid
        self.startTime = startTime
        self.program = program
    }
}
