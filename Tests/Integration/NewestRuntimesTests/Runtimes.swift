import Foundation
import TestNode
import Testing

/// A runtime in one of its two versions: this machine's own, and the newest that Debian has.
struct Runtime: Sendable, CustomTestStringConvertible {
    enum Name: String, Sendable { case runc, crun }

    var name: Name
    var isNewest: Bool

    var path: String { name == .runc ? "/usr/sbin/runc" : "/usr/bin/crun" }
    var testDescription: String { "\(isNewest ? "the newest" : "this machine's") \(name)" }

    /// Puts the version in place, for all that is started from now on. The newest ones need a newer C library; so all of that lies
    /// over /usr, as in an upgraded node, where older programs go on working.
    ///
    /// A bind mount over the runtime's file would not do: runc finds its own program by what lies beneath.
    func putInPlace() throws {
        try TestNode.shared()
        let isThere = try mounts(beneath: "/usr").contains("/usr")
        if isNewest, !isThere {
            try shell("mount -t overlay -o lowerdir=\(try Newest.copy.get())/usr:/usr podreap-newest /usr")
        } else if !isNewest, isThere {
            try shell("umount -l /usr")
        }
        print(
            "runtime: \(try shell("\(path) --version | head -n 1").trimmingCharacters(in: .newlines)), \(Cgroups.shown)"
        )
    }
}

/// What Tests/Support/Peers/fetch has got.
enum Newest {
    /// nil where it could not be had.
    static let directory = ProcessInfo.processInfo.environment["PODREAP_NEWEST_RUNTIMES"]
    static let reason =
        "\(ProcessInfo.processInfo.environment["PODREAP_NEWEST_RUNTIMES_MISSING"] ?? "Tests/run fetches it, and did not run this")"

    /// On a filesystem of its own: an overlay's lower layers may not lie in each other.
    static let copy = Result {
        try TestNode.shared()
        try shell("mkdir /mnt/newest && cp -a \(directory ?? "")/. /mnt/newest/")
        return "/mnt/newest"
    }
}
