import ArgumentParser
internal import SandboxRegistry
internal import SandboxRemoval

struct Remove: AsyncParsableCommand, RegistryCommand {
    static let configuration = CommandConfiguration(
        abstract: "Removes sandboxes with all their containers.",
        discussion: """
            Containers are killed, whatever they do about it. What cannot be removed is named, the rest is removed \
            all the same, and the same command again goes on with it.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var helper: HelperOptions
    @OptionGroup var hook: NamespaceHookOptions

    @Flag(help: "Name processes that keep the pod's shm or namespaces mounted elsewhere; this looks at every process.")
    var holders = false

    @Argument(help: "Sandboxes' ids. 12 or more digits stand for an id of 64 that alone begins so.")
    var ids: [String] = []

    @Flag(help: "Remove every registered sandbox.")
    var all = false

    @Option(help: ArgumentHelp("The time for the whole of it (default: 120).", valueName: "seconds"))
    var timeout: Seconds?

    func validate() throws {
        guard ids.isEmpty == all else {
            throw ValidationError(all ? "--all takes no ids" : "give at least one id, or --all")
        }
    }

    var helpers: HelperOptions? { helper }

    func run() async throws {
        let ids = all ? try common.openRegistry().sandboxes().map(\.id) : ids
        if ids.isEmpty { return }
        var options = Configured.removal(timeout)
        hook.add(to: &options)
        options.namesHolders = holders
        try await runAll(ids, common, helper) { [options] (orchestrator, id, tell) throws(RemovalError) in
            try await orchestrator.remove(id, options: options, tell: tell)
        }
    }
}
