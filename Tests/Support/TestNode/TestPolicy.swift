internal import Foundation

/// A directory that takes the place of /etc/podreap for one helper.
public struct TestPolicy: Sendable {
    public let directory: String
    public var file: String { directory + "/helper.conf" }

    public init(_ text: String) throws {
        directory = "/mnt/policies/\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        try Data(text.utf8).write(to: URL(filePath: file))
        try shell("chmod 755 \(directory); chown 0:\(TestNode.caller) \(file); chmod 640 \(file)")
    }
}

/// Programs of the tests, written in C and compiled when first needed.
public enum TestPrograms {
    /// A process whose first thread has ended while another runs, and which does not end by TERM.
    public static let leader = Result {
        try compile(
            URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs/leader.c").path(),
            "-static -pthread")
    }

    /// Compiles `source` to `/mnt/programs/NAME`; the path of the program. Call it once for each.
    public static func compile(_ source: String, _ options: String = "") throws -> String {
        try TestNode.shared()
        let name = URL(filePath: source).deletingPathExtension().lastPathComponent
        try shell("cc -std=gnu11 -O1 -Wall -Wextra -Werror -o /mnt/programs/\(name) '\(source)' \(options)")
        return "/mnt/programs/\(name)"
    }
}
