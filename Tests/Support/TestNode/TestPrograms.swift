internal import Foundation

/// Programs that were built with the tests, and others that are written in C and compiled when first needed.
public enum TestPrograms {
    /// The directory of what was built with these tests: that of their own program.
    public static func builtDirectory() throws -> String {
        let own = try linkTarget("/proc/self/exe")
        return String(own.prefix(upTo: own.lastIndex(of: "/") ?? own.startIndex))
    }

    public static func built(_ name: String) throws -> String { "\(try builtDirectory())/\(name)" }

    /// The same program in `/mnt`, where an unprivileged user can start it.
    ///
    /// - Parameter other: Another program to be started in its place.
    public static func forUser(_ name: String, from other: String? = nil) throws -> String {
        let place = "/mnt/\(name)"
        try TestNode.shared()
        if !Entry.exists(place) { try shell("touch \(place) && mount --bind '\(try other ?? built(name))' \(place)") }
        return place
    }

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
