import ArgumentParser
internal import LinuxSystem
internal import Ownership
internal import Settings

struct Rescue: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rescue",
        abstract: "Unsticks a pod of a running containerd or CRI-O, together with that runtime. Needs root.",
        discussion: """
            Asks the runtime to stop and remove the pod, and looks. Then it undoes what keeps the runtime from that: it \
            thaws a cgroup that only the pod has, continues a stopped shim or conmon, kills the containers' processes, and \
            detaches a root filesystem that somebody on the node uses. Then it asks again, for at least 60 s. It touches \
            nothing that another pod has, and nothing else of the pod's. At the end it names what is left.

            A pod that runs is refused without --running, unless somebody has asked its runtime to stop it. What rescue \
            cannot cure (a network plugin, a filesystem that does not answer, a runtime that is dead or stopped), it \
            names together with the command that helps.

            Exit status: 0 the runtime does not list the pod any more; 1 it still does; 2 there is no such pod, or rescue \
            is not for it, and nothing was changed.
            """)

    @Flag(help: "Only say what would be done.")
    var dryRun = false

    @Flag(help: "Take a pod that runs and that nobody has asked its runtime to stop.")
    var running = false

    @Flag(help: "Print JSON, one object.")
    var json = false

    @Option(help: ArgumentHelp("How long the runtime is asked again, at least 60.", valueName: "seconds"))
    var patience = Seconds(.seconds(90))

    @Option(
        help: ArgumentHelp(
            "The helper's program (default: /usr/libexec/podreap/podreap-helper).", valueName: "path"))
    var helper: String?

    @Argument(help: "A pod's id, NAME or NAMESPACE/NAME.")
    var pod: String

    /// Starts podreap-rescue, the program that has the runtime's socket.
    func run() throws {
        guard ProcessUser.isRoot else { throw UsageError("only root can ask a runtime: sudo podreap rescue \(pod)") }
        let program = CRIAsker.program
        if let weakness = PathTrust.of(program).weakness() {
            throw UsageError("root does not start \(program): \(weakness)")
        }
        let helper = self.helper ?? environmentVariable("PODREAP_HELPER") ?? Configured.settings.helper
        if let weakness = PathTrust.of(helper).weakness() {
            throw UsageError("root does not start the helper \(helper): \(weakness)")
        }
        let flags = [dryRun ? "--dry-run" : nil, running ? "--running" : nil, json ? "--json" : nil].compactMap { $0 }
        let options = ["--patience", "\(patience.duration / .seconds(1))", "--helper", helper]
        let start = ProgramStart(
            program, words: [program, "rescue"] + flags + options + ["--", pod], environment: nil)
        do throws(Errno) { leave(exitStatus(of: try start.run())) } catch {
            throw InputError(path: program, reason: error)
        }
    }
}
