internal import EventLoop
internal import HelperClient
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

/// A sentence that says why a program that was to run before the namespaces are deleted failed.
struct NamespaceHookFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension RemovalOptions {
    /// Makes `beforeNamespaces` run a program as this user, with nothing on its standard input. It has to exit with 0.
    ///
    /// Its environment: `PATH`, and `PODREAP_` with `SANDBOX` (the id), `NETNS` (the path of the network namespace's
    /// pin, empty if none), `POD_NAME`, `POD_NAMESPACE`, `POD_UID`. The failed step's detail has the end of its output.
    ///
    /// - Parameters:
    ///   - command: The program's path and its arguments.
    ///   - timeout: How long the program may take before it and its process group are killed.
    public mutating func runBeforeNamespaces(_ command: [String], timeout: Duration) {
        // The program is killed at its own timeout. The hook's longer timeout is for a run that never returns.
        beforeNamespacesTimeout = timeout + .seconds(5)
        let run = { @Sendable (sandbox: Sandbox, turn: SandboxHold?) async throws in
            let pin = sandbox.namespaces.first { $0.kind == .network }
            let environment = [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PODREAP_SANDBOX=\(sandbox.id)",
                "PODREAP_NETNS=\(pin?.path ?? "")", "PODREAP_POD_NAME=\(sandbox.metadata.name)",
                "PODREAP_POD_NAMESPACE=\(sandbox.metadata.namespace)", "PODREAP_POD_UID=\(sandbox.metadata.uid)",
            ]
            try await Self.run(command, environment, timeout, turn)
        }
        beforeNamespaces = { try await run($0, nil) }
        beforeNamespacesCommand = command
        beforeNamespacesProgram = run
    }

    private static func run(
        _ command: [String], _ environment: [String], _ timeout: Duration, _ turn: SandboxHold?
    ) async throws(NamespaceHookFailure) {
        let name = command.first ?? "the command"
        let program: HeardProgram
        do throws(Errno) {
            // Starting a program reads it from a disk.
            program = try await Threads.programs.run { () throws(Errno) in
                try HeardProgram(command, environment: environment, keeping: turn?.descriptor)
            }
        } catch {
            throw NamespaceHookFailure("\(name) cannot be started: \(error)")
        }
        var isInTime = true
        do throws(ObservationError) {
            if let process = try await KnownProcess.find(pid: program.pid) {
                isInTime = await process.handle.wait(until: .now + timeout)
            }
        } catch {
            isInTime = false
        }
        let end = await Threads.programs.run { [isInTime] in program.end(kill: !isInTime) }
        // Processes that the program itself has started may still run after it was killed.
        if isInTime { turn?.release() } else { turn?.leaveToPrograms() }
        let output = end.output.isEmpty ? "" : ": \(printable(end.output))"
        if !isInTime { throw NamespaceHookFailure("\(name) was killed after \(timeout.formattedSeconds)\(output)") }
        if end.status != 0 { throw NamespaceHookFailure("\(name) \(describe(end.status))\(output)") }
    }

    private static func describe(_ status: Int32) -> String {
        status > 128 ? "was ended by signal \(status - 128)" : "exited with status \(status)"
    }
}
