import FoundationEssentials
internal import LinuxSystem
internal import Ownership
internal import SandboxRemoval
internal import Settings

/// Asks runtimes through `podreap-rescue`, which speaks CRI for this program.
enum CRIAsker {
    /// How long a runtime may take.
    private static let patience = 5

    /// Beside the helper or, where nothing is installed, beside this program.
    static var program: String {
        let places = [Configured.settings.helper, programPath].map { $0.split(separator: "/").dropLast() }
        let programs = places.map { $0.map { "/\($0)" }.joined() + "/podreap-rescue" }
        return programs.first { refusal(toExecute: $0) == nil } ?? programs[0]
    }

    /// What a runtime lists, or why that is not known.
    static func list(_ socket: String) -> CRIListing {
        func failed(_ reason: String) -> CRIListing { CRIListing(socket: socket, unasked: reason) }
        if let weakness = PathTrust.of(program).weakness() {
            return failed("podreap-rescue, which asks it, is not started: \(weakness)")
        }
        do throws(Errno) {
            let (status, bytes) = try output(
                of: [program, "look", "--socket", socket, "--timeout", "\(patience)"], environment: [],
                within: .seconds(patience + 5), atMost: 64 << 20)
            guard let listing = try? JSONDecoder().decode(CRIListing.self, from: Data(bytes)) else {
                return failed("podreap-rescue, which asks it, ended with status \(status)")
            }
            return listing
        } catch {
            return failed("\(program), which asks it, cannot be started: \(error)")
        }
    }
}
