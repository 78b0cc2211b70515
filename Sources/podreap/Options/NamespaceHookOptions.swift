import ArgumentParser
internal import SandboxRemoval

/// A command of the caller that needs the pod's network namespace, such as CNI DEL.
struct NamespaceHookOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A shell command to run after all containers are gone and before the namespaces are deleted.",
            discussion: """
                For CNI DEL. It always runs as the user who owns the registry, even if root calls podreap. Its environment \
                has PODREAP_NETNS (the network namespace's path), PODREAP_SANDBOX, PODREAP_POD_NAME, PODREAP_POD_NAMESPACE \
                and PODREAP_POD_UID. If it fails, podreap shows the end of its output and keeps the namespaces; the next \
                call runs it again.
                """, valueName: "command"))
    var beforeNetns: String?

    @Option(help: ArgumentHelp("How long that command may take before it is killed.", valueName: "seconds"))
    var beforeNetnsTimeout = Seconds(.seconds(60))

    func add(to options: inout RemovalOptions) {
        guard let beforeNetns else { return }
        options.runBeforeNamespaces(["/bin/sh", "-c", beforeNetns], timeout: beforeNetnsTimeout.duration)
    }
}
