internal import TestNode

/// The roots that sample pods share: a small node of their own beneath one directory.
///
/// Everything is owned by root and writable by no one else. A node that is no longer needed is removed with `destroy()`.
public struct SampleNode: Sendable {
    /// The directory that holds everything else.
    public let base: String
    /// `sandboxes/ID`: a sandbox's directory, with its shm.
    public let sandboxRoot: String
    /// `containers/ID`: a container's bundle, with its overlay.
    public let containerRoot: String
    /// `netns/sample-ID`: the pinned network namespaces.
    public let netnsRoot: String
    /// The OCI runtime's state.
    public let runtimeRoot: String
    /// The OCI runtime, runc or one with its command line.
    public let runtime: String
    /// The cgroup in every mounted hierarchy beneath which pods have theirs, as absolute directories.
    public let cgroupRoots: [String]
    /// What each first workload has bind-mounted beneath its directory; it must survive every pod.
    public let volume: String
    /// The lower layer that all containers share: busybox.
    let image: String

    /// Makes the roots beneath `base`, which is created where it is missing (its parent must exist).
    ///
    /// For root in a mount namespace of its own. `base` may hold letters, digits and `. _ - /` only: it goes into
    /// `helper.conf` and into an overlay's options.
    public init(base: String, runtime: String = "/usr/sbin/runc") throws(SampleError) {
        try requirePrivateMounts()
        let isPlain = base.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "._-/".utf8.contains(byte)
        }
        guard base.hasPrefix("/"), isPlain else { throw .badBase(base) }
        try makeDirectory(base)
        self.base = try resolved(base)
        self.runtime = runtime
        sandboxRoot = "\(self.base)/sandboxes"
        containerRoot = "\(self.base)/containers"
        netnsRoot = "\(self.base)/netns"
        runtimeRoot = "\(self.base)/runtime"
        volume = "\(self.base)/volume"
        image = "\(self.base)/image"
        cgroupRoots = try cgroupMounts().map { "\($0)\(Self.cgroup)" }
        for directory in [sandboxRoot, containerRoot, netnsRoot, volume, image] { try makeDirectory(directory) }
        try makeDirectory(runtimeRoot, mode: 0o711)
        try write("must survive\n", to: canary)
        for directory in ["bin", "dev", "proc"] { try makeDirectory("\(image)/\(directory)") }
        try runCommand(["cp", "/bin/busybox", "\(image)/bin/busybox"], "is busybox-static installed?")
        for name in ["sh", "sleep"] { try makeLink("\(image)/bin/\(name)", to: "busybox") }
    }

    /// Where in each hierarchy the pods of this process have their cgroups: hierarchies are shared by all mount namespaces.
    public static let cgroup = "/podreap-sample-\(currentProcess())"
    private var canary: String { "\(volume)/canary" }

    /// Whether the volume still has its file: removing a pod must not reach through the mount.
    public var volumeIsIntact: Bool { contents(of: canary) == "must survive\n" }

    /// The policy under which a helper may remove this node's pods, for a caller given by name or uid.
    public func helperConf(caller: String) -> String {
        let lines =
            [
                "caller = \(caller)", "sandbox-root = \(sandboxRoot)", "container-root = \(containerRoot)",
                "netns-root = \(netnsRoot) names sample-*",
            ] + cgroupRoots.map { "cgroup-root = \($0) depth 1" } + ["runtime = runc \(runtime) \(runtimeRoot)"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// Makes the cgroup roots, which pods otherwise make and leave to the next: a helper checks its roots when it starts.
    public func makeCgroupRoots() throws(SampleError) {
        for root in cgroupRoots { try makeDirectory(root) }
    }

    /// Removes the roots and whatever is mounted beneath them. Pods are destroyed before, each by itself.
    public func destroy() {
        detachMounts(beneath: base)
        removeTree(base)
        // Pods of another node of this process may be in there: then it stays.
        for root in cgroupRoots { _ = removeDirectory(root) }
    }
}
