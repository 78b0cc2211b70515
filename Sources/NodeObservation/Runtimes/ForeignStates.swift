/// Containers that runtimes know in their default state directories.
public enum ForeignStates {
    /// `*` stands for each directory that exists.
    private static let roots = [
        "/run/runc", "/run/crun", "/run/youki", "/run/runsc", "/run/vc/sbs", "/run/containerd/runc/*",
        "/run/containerd/io.containerd.runtime.v2.task/*", "/run/docker/runtime-runc/*",
    ]

    /// The ids, each with the directory of its state. A root directory that this user may not list counts as empty.
    ///
    /// - Parameter besides: Whether a root directory is examined by other means, and therefore skipped here.
    public static func containers(besides isKnown: (String) -> Bool) -> [String: String] {
        var found: [String: String] = [:]
        for root in roots.flatMap(expanded) where !isKnown(root) {
            for id in names(root) { found[id] = "\(root)/\(id)" }
        }
        return found
    }

    private static func expanded(_ root: String) -> [String] {
        guard root.hasSuffix("/*") else { return [root] }
        let parent = String(root.dropLast(2))
        return names(parent).map { "\(parent)/\($0)" }
    }

    private static func names(_ directory: String) -> [String] {
        let found = try? subdirectories(of: Array(directory.utf8))
        return (found ?? []).compactMap { String(validating: $0, as: UTF8.self) }
    }
}
