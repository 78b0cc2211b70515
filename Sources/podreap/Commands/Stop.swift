import ArgumentParser
internal import SandboxRegistry
internal import SandboxRemoval
internal import Settings

struct Stop: AsyncParsableCommand, RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stops sandboxes: ends their containers and deletes their namespaces.",
        discussion: """
            Sends each container its own stop signal, and KILL after the grace. Records and directories stay until \
            remove.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var helper: HelperOptions
    @OptionGroup var hook: NamespaceHookOptions

    @Flag(help: "Look at every process, and name those that keep the pod's shm or namespaces mounted elsewhere.")
    var holders = false

    @Argument(help: "Sandboxes' ids. 12 or more digits are enough if only one id of 64 begins with them.")
    var ids: [String]

    @Option(
        help: ArgumentHelp(
            "How long a container may take to end; 0 kills it at once (default: 10).", valueName: "seconds"))
    var grace: Seconds?

    var helpers: HelperOptions? { helper }

    func run() async throws {
        let grace = grace?.duration ?? Configured.settings.removal.stopGrace
        var options = Configured.removal(extra: grace + grace)
        hook.add(to: &options)
        options.namesHolders = holders
        try await runConcurrently(ids, common, helper, TimeLeft(nil)) {
            [options] (orchestrator, id, tell) throws(RemovalError) in
            try await orchestrator.stop(id, grace: grace, options: options, tell: tell)
        }
    }
}
