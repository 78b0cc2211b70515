import ArgumentParser
internal import SandboxRegistry
internal import SandboxRemoval

struct Discover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discover",
        abstract: "Finds the pods of CRI-O and containerd on this node, and prints the documents that register takes.",
        discussion: """
            Use it on a node whose runtime has died or is being uninstalled. Stop the runtime first: otherwise both \
            remove the same things. Needs root, and only reads.

                sudo podreap discover --policy | sudo tee /etc/podreap/helper.conf
                sudo podreap discover | podreap register -
                podreap remove --all

            On standard error, discover lists what podreap does not remove, and what to do about it.
            """)

    @OptionGroup var foreign: ForeignOptions

    @Flag(help: "Print the lines that helper.conf needs for these pods, instead of documents.")
    var policy = false

    @Option(help: ArgumentHelp("The user that will run podreap, for --policy.", valueName: "user"))
    var caller = "podreap"

    @Flag(help: "Print each document on one line.")
    var json = false

    func run() throws {
        let discovery = try foreign.discover(for: "discover")
        if policy {
            guard !discovery.documents.isEmpty else { return sayThatThereIsNone(discovery) }
            return Stream.output.write(discovery.policy(caller: caller))
        }
        for document in discovery.documents {
            Stream.output.write(String(decoding: json ? document.line() : document.json(), as: UTF8.self))
        }
        if discovery.documents.isEmpty { sayThatThereIsNone(discovery) }
        for problem in discovery.problems { complain("note: \(problem)") }
        let leftovers = try discovery.leftovers()
        guard !leftovers.isEmpty else { return }
        complain("podreap does not remove:")
        for leftover in leftovers {
            let commands = leftover.commands.map { "          \($0)\n" }.joined()
            Stream.errors.write("  \(leftover.what)\n      \(leftover.remedy)\n\(commands)")
        }
    }

    private func sayThatThereIsNone(_ discovery: Discovery) {
        complain("there is no pod of \(discovery.runtimes.map(\.rawValue).joined(separator: " or ")) here")
    }
}
