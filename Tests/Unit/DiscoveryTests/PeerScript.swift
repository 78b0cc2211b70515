import Foundation
import TestNode
import Testing

/// A script of `Support/Peers` that has podreap on a node of its own.
enum PeerScript {
    /// Runs it, and returns what it printed by section.
    ///
    /// - Parameter layer: A directory whose usr is laid over the node's.
    static func run(_ name: String, over layer: String? = nil, seconds: Int = 120) throws -> [String: String] {
        let directory = NSTemporaryDirectory() + "podreap-\(name)-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Support/Peers/\(name)").standardized
        let helper = try #require(
            ProcessInfo.processInfo.environment["PODREAP_HELPER"],
            "PODREAP_HELPER names the helper that make helper builds")
        let namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        let command =
            ["/usr/bin/unshare"] + namespaces + ["--propagation", "private", "--", "/usr/bin/timeout", "\(seconds)"]
            + [script.path(), directory, try TestPrograms.built("podreap"), helper]
        let start = ProgramStart(command, environment: ProgramStart.ownEnvironment(["PODREAP_PEER_LAYER": layer ?? ""]))
        let text = try Program.run(start, seconds: Double(seconds) + 20).output
        var sections: [String: String] = [:]
        for part in ("\n" + text).components(separatedBy: "\n## ").dropFirst() {
            let lines = part.split(separator: "\n", omittingEmptySubsequences: false)
            sections[String(lines[0])] = lines.dropFirst().joined(separator: "\n").trimmingCharacters(in: .newlines)
        }
        if sections["end"] == nil { Issue.record("\(name) did not end:\n\(text.suffix(4000))") }
        return sections
    }
}
