import ArgumentParser
import FoundationEssentials
internal import Ownership
internal import SandboxRegistry
internal import SandboxRemoval

struct Remove: AsyncParsableCommand, RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Removes sandboxes with all their containers.",
        discussion: """
            Kills the containers. If something cannot be removed, podreap names it and removes everything else; the \
            same command again continues.

            If podreap cannot know whether a container lives, it deletes nothing of that container. With --assume-dead, \
            as root, it looks at every process of the node for a root, working directory, program, file, mount or \
            namespace of the pod, and for a cgroup with a container's name. If no process has any of these, it assumes \
            that containers not known to live are dead. Otherwise it names the processes and touches nothing. It sends \
            no signal, and the history shows that it assumed death.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var helper: HelperOptions
    @OptionGroup var hook: NamespaceHookOptions

    @Flag(help: "Look at every process, and name those that keep the pod's shm or namespaces mounted elsewhere.")
    var holders = false

    @Argument(help: "Sandboxes' ids. 12 or more digits are enough if only one id of 64 begins with them.")
    var ids: [String] = []

    @Flag(help: "Remove every registered sandbox.")
    var all = false

    @Flag(
        name: .customLong("assume-dead"),
        help: "As root: assume dead what is not known to live, if no process of the node has anything of the pod.")
    var assumesDeath = false

    @Flag(name: .customLong("hand-over"), help: .hidden)
    var handsOver = false

    @Option(help: ArgumentHelp("The time for the whole removal (default: 120).", valueName: "seconds"))
    var timeout: Seconds?

    func validate() throws {
        guard ids.isEmpty == all else {
            throw ValidationError(all ? "--all takes no ids" : "give at least one id, or --all")
        }
        if all, assumesDeath { throw ValidationError("--assume-dead takes ids: look at each pod first") }
    }

    var helpers: HelperOptions? { helper }
    /// Only root sees every process with its files.
    var staysRoot: Bool { assumesDeath && !handsOver }

    func run() async throws {
        if assumesDeath, try isDoneByOwner() { return }
        let time = TimeLeft(timeout)
        var options = Configured.removal()
        hook.add(to: &options)
        options.namesHolders = holders
        options.assumesDeath = assumesDeath
        options.lookForHolders = handsOver ? Self.askRoot : Self.look
        try await runConcurrently(all ? nil : ids, common, helper, time) {
            [options] (orchestrator, id, tell) throws(RemovalError) in
            var options = options
            options.timeout = time.left
            return try await orchestrator.remove(id, options: options, tell: tell)
        }
    }
}

// Root looks at all processes, and a process of the registry's owner acts. That process asks root while nobody else
// works on the pod, and sends the records of that moment.
extension Remove {
    /// If root is not the registry's owner, starts a process of that owner that removes the sandboxes, and looks at
    /// processes for it. Returns whether it did.
    private func isDoneByOwner() throws -> Bool {
        if handsOver { return false }
        guard ProcessUser.isRoot else {
            throw UsageError("--assume-dead needs root, who sees every process with its files: sudo podreap remove …")
        }
        guard try needsOwner else { return false }
        let arguments = Array(CommandLine.arguments.dropFirst())
        let verb = (arguments.firstIndex(of: "remove") ?? 0) + 1
        let (status, _) = try handedOver(by: Array(arguments[..<verb] + ["--hand-over"] + arguments[verb...])) {
            question in
            guard let records = try? Self.decoder.decode(PodRecords.self, from: Data(question.utf8)) else {
                return jsonLine(HoldersSeen.blind("the question is not understood"))
            }
            // What root sees is printed by this process only, and not handed to the owner's process.
            do { return jsonLine(try Self.look(records)) } catch { return jsonLine(HoldersSeen.blind("\(error)")) }
        }
        guard status == 0 else { throw Status(rawValue: status) ?? .unusable }
        return true
    }

    /// Looks for holders as root, in this process.
    private static func look(_ records: PodRecords) throws -> HoldersSeen {
        let seen = try records.lookForHolders()
        if case .held(let holders) = seen {
            for holder in holders { complain("\(shortened(records.sandbox.id)): \(holder)") }
            return .held([])
        }
        return seen
    }

    /// Asks the root process that started this one to look for holders; used as the registry's owner.
    private static func askRoot(_ records: PodRecords) throws -> HoldersSeen {
        Stream.owner.write(jsonLine(records))
        return try decoder.decode(HoldersSeen.self, from: Data(Stream.root.readLine().utf8))
    }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }
}
