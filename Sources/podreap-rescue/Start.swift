import ArgumentParser
internal import CRIClient
internal import FoundationEssentials
internal import HelperProtocol
internal import LinuxSystem
internal import SandboxRemoval

/// The program that speaks with a runtime through its socket, which gives root's power over its pods. `podreap explain`
/// and `podreap rescue` start it.
struct PodreapRescue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Speaks with a runtime through CRI, for podreap.", version: "podreap-rescue \(Release.version)",
        subcommands: [Rescue.self, Look.self], defaultSubcommand: Rescue.self)
}

/// Prints what a runtime lists, as JSON. Changes nothing.
struct Look: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the pods that a runtime lists, as one JSON object. Changes nothing.")

    @Option(help: ArgumentHelp("The runtime's socket.", valueName: "path"))
    var socket: String

    @Option(help: ArgumentHelp("How long it may take.", valueName: "seconds"))
    var timeout: Double = 5

    func run() async {
        var listing = CRIListing(socket: socket)
        do throws(CRIError) {
            listing.pods = try await CRIClient(socket: socket).pods(within: .seconds(timeout))
        } catch {
            listing.failure = "\(error)"
        }
        guard let data = try? JSONEncoder().encode(listing) else { return }
        writeAll(String(decoding: data, as: UTF8.self) + "\n", to: 1)
    }
}

@main
enum Start {
    @MainActor static func main() async { await PodreapRescue.main() }
}
