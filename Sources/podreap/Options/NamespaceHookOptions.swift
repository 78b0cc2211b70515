import ArgumentParser
internal import SandboxRemoval

/// A command of the caller that needs the pod's network namespace, such as CNI DEL.
struct NamespaceHookOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A shell command to run when all containers are gone, right before the namespaces are deleted.",
            discussion: """
                For CNI DEL. It runs as the user who owns the registry, also where root calls, and finds PODREAP_NETNS (the network namespace's path), PODREAP_SANDBOX, PODREAP_POD_NAME, \
                PODREAP_POD_NAMESPACE and PODREAP_POD_UID in its environment. Where it fails, the namespaces are kept, and \
                the next call runs it again; the end of what it prints is shown then.
                """, valueName: "command"))
    var beforeNetns: String?

    @Option(help: ArgumentHelp("How long that command may take before it is killed.", valueName: "seconds"))
    var beforeNetnsTimeout = Seconds(.seconds(60))

    func add(to options: inout RemovalOptions) {
        guard let beforeNetns else { return }
        options.runBeforeNamespaces(["/bin/sh", "-c", beforeNetns], timeout: beforeNetnsTimeout.duration)
    }
}
