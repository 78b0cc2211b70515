import ArgumentParser
internal import NodeObservation
internal import SandboxRegistry
internal import SandboxRemoval

/// A command of the caller's that needs the pod's network namespace: CNI DEL.
struct NamespaceHookOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A shell command to run when all containers are gone, right before the namespaces are deleted.",
            discussion: """
                For CNI DEL. It finds PODREAP_NETNS (the network namespace's path), PODREAP_SANDBOX, PODREAP_POD_NAME, \
                PODREAP_POD_NAMESPACE and PODREAP_POD_UID in its environment. Where it fails, the namespaces are kept, and \
                the next call runs it again. What it prints goes to standard error.
                """, valueName: "command"))
    var beforeNetns: String?

    @Option(help: ArgumentHelp("How long that command may take before it is killed.", valueName: "seconds"))
    var beforeNetnsTimeout = Seconds(.seconds(60))

    func add(to options: inout RemovalOptions) {
        guard let beforeNetns else { return }
        let limit = beforeNetnsTimeout.duration
        // The command is killed at its deadline here; the library's is for a hook that does not end.
        options.beforeNamespacesTimeout = limit + .seconds(5)
        options.beforeNamespaces = { try await runHook(beforeNetns, for: $0, limit) }
    }
}

/// Why the namespaces are kept.
struct HookFailure: Error, CustomStringConvertible {
    let description: String
}

private func runHook(_ command: String, for sandbox: Sandbox, _ limit: Duration) async throws {
    let pod = sandbox.metadata
    let netns = sandbox.namespaces.first { $0.kind == .network }?.path ?? ""
    let deadline = ContinuousClock.now + limit
    let child = try startShell(
        command,
        [
            "PODREAP_NETNS=\(netns)", "PODREAP_SANDBOX=\(sandbox.id)", "PODREAP_POD_NAME=\(pod.name)",
            "PODREAP_POD_NAMESPACE=\(pod.namespace)", "PODREAP_POD_UID=\(pod.uid)",
        ])
    // Not reaped yet, so its pid is nobody else's.
    let inTime = try await ProcessHandle(pid: child)?.wait(until: deadline) ?? true
    if !inTime { killGroup(child) }
    let status = reap(child)
    if !inTime { throw HookFailure(description: "the command did not end within \(limit) and was killed") }
    if status < 0 { throw HookFailure(description: "the command was ended by signal \(-status)") }
    if status > 0 { throw HookFailure(description: "the command exited with status \(status)") }
}
