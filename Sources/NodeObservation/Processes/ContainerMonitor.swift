/// A process of a container runtime that waits for containers to end: containerd's shim, or conmon.
public struct ContainerMonitor: Sendable, Equatable {
    public let pid: Int32
    public let program: String
    /// The container ids on its command line.
    public let containers: [String]

    /// conmon ends with its one container; a shim waits until it is told to end.
    public var endsByItself: Bool { program == "conmon" }

    /// All monitors on this machine.
    public static func all() throws(ObservationError) -> [ContainerMonitor] {
        var found: [ContainerMonitor] = []
        for name in try subdirectories(of: Array("/proc".utf8)) {
            guard let pid = name[...].number(as: Int32.self) else { continue }
            // The name is checked first, because the command line of a process that hangs may not be readable.
            guard let name = try ProcessStatus.of(pid: pid)?.name,
                name.hasPrefix("conmon") || name.hasPrefix("containerd-shim"),
                let bytes = try? contents(of: Array("/proc/\(pid)/cmdline".utf8)),
                let minder = ContainerMonitor(pid: pid, arguments: bytes.split(separator: 0).map(\.text))
            else { continue }
            found.append(minder)
        }
        return found
    }

    init?(pid: Int32, arguments: [String]) {
        guard let program = arguments.first?.split(separator: "/").last.map(String.init),
            program.hasPrefix("containerd-shim") || program == "conmon"
        else { return nil }
        let flags = program == "conmon" ? ["-c", "--cid"] : ["-id", "--id"]
        containers = zip(arguments, arguments.dropFirst()).filter { flags.contains($0.0) }.map(\.1)
        guard !containers.isEmpty else { return nil }
        self.pid = pid
        self.program = program
    }
}
