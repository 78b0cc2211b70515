import Foundation
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
        let bundle = try #require(CommandLine.arguments.first { $0.hasSuffix(".xctest") }, "not started by swift test")
        let podreap = URL(filePath: bundle).deletingLastPathComponent().appending(path: "podreap").path()

        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/unshare")
        process.arguments =
            ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "--"]
            + ["/usr/bin/timeout", "\(seconds)", script.path(), directory, podreap, helper]
        process.environment = ProcessInfo.processInfo.environment.merging(["PODREAP_PEER_LAYER": layer ?? ""]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        var sections: [String: String] = [:]
        for part in ("\n" + text).components(separatedBy: "\n## ").dropFirst() {
            let lines = part.split(separator: "\n", omittingEmptySubsequences: false)
            sections[String(lines[0])] = lines.dropFirst().joined(separator: "\n").trimmingCharacters(in: .newlines)
        }
        if sections["end"] == nil { Issue.record("\(name) did not end:\n\(text.suffix(4000))") }
        return sections
    }
}
