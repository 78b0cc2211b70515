import ArgumentParser
internal import SandboxRegistry
internal import SandboxRemoval

struct Discover: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finds the pods of CRI-O and containerd on this node, and prints the documents that register takes.",
        discussion: """
            For a node whose runtime has died or is being uninstalled; the runtime need not run, and should not, so \
            that it does not remove what is being removed. Run as root; only reads.

                sudo podreap discover --policy | sudo tee /etc/podreap/helper.conf
                sudo podreap discover | podreap register -
                podreap remove --all

            What podreap does not remove is listed on standard error, with what to do about it.
            """)

    @OptionGroup var foreign: ForeignOptions

    @Flag(help: "Print the lines that helper.conf needs for these pods, and no documents.")
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
        complain("not podreap's to remove:")
        for leftover in leftovers { Stream.errors.write("  \(leftover.what)\n      \(leftover.remedy)\n") }
    }

    private func sayThatThereIsNone(_ discovery: Discovery) {
        complain("there is no pod of \(discovery.runtimes.map(\.rawValue).joined(separator: " or ")) here")
    }
}
