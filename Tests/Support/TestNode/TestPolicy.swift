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
