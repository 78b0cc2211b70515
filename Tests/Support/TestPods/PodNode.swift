internal import EventLoop
internal import Foundation
internal import LinuxSystem
public import SamplePod
internal import Synchronization
internal import TestNode

/// A node for one test: real pods, and podreap as a distribution installs it. The helper has its capabilities and finds this node's
/// policy at the fixed place; the registry is an unprivileged user's.
public final class PodNode: Sendable {
    /// The roots that its pods share.
    public let sample: SampleNode
    /// A directory that belongs to the unprivileged user, for the registry and for what that user has to read.
    public let library: String
    public var registryPath: String { "\(library)/registry.sqlite" }
    /// A directory of root's, for registries of this process.
    public static let rootLibrary = "/mnt/root-library"
    private let pods = Mutex<[SamplePod]>([])
    private let endings = Mutex<[String]>([])

    /// There is one at a time: the policy has one place.
    private static let isInUse = Mutex(false)
    static let policyDirectory = "/etc/podreap"

    fileprivate init(base: String, runtime: String = "/usr/sbin/runc") throws {
        try TestNode.shared()
        let isFirst = Self.isInUse.withLock { inUse in
            defer { inUse = true }
            return !inUse
        }
        guard isFirst else {
            throw PodNodeFailure("Two tests want /etc/podreap: run tests one after the other, as make does")
        }
        library = "/mnt/library"
        sample = try SampleNode(base: base, runtime: runtime)
        try sample.makeCgroupRoots()
        try shell(
            """
            rm -rf \(library) \(Self.rootLibrary) /mnt/policy && mkdir -m 0755 \(library) \(Self.rootLibrary) /mnt/policy
            chown \(Self.user):\(Self.user) \(library)
            mount --bind /mnt/policy \(Self.policyDirectory)
            """)
        try setPolicy(policy)
    }

    fileprivate func end() throws {
        for script in endings.withLock({ $0 }).reversed() { _ = try? shell(script) }
        for pod in pods.withLock({ $0 }) { pod.destroy() }
        sample.destroy()
        try shell("umount \(Self.policyDirectory) && rm -rf \(library) \(Self.rootLibrary) /mnt/policy")
        Self.isInUse.withLock { $0 = false }
    }

    /// The unprivileged user's uid, and gid.
    public static var user: UInt32 { TestNode.caller }

    /// The policy that fits this node.
    public var policy: String { sample.helperConf(caller: "\(Self.user)") }

    /// Replaces `helper.conf`, which each helper reads when it starts.
    public func setPolicy(_ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: "\(Self.policyDirectory)/helper.conf"))
    }

    /// Makes a pod that is destroyed with this node at the latest.
    public func pod(
        _ name: String = "web", _ workloads: [Workload] = [Workload()], _ pidNamespace: PIDNamespace = .container
    ) throws -> SamplePod {
        let pod = try SamplePod(on: sample, name: name, workloads: workloads, pidNamespace: pidNamespace)
        pods.withLock { $0.append(pod) }
        return pod
    }

    /// Has a script run when the test ends, before the node goes; each once, the last first.
    public func addEnding(_ script: String) {
        endings.withLock { if !$0.contains(script) { $0.append(script) } }
    }

    /// Writes a file that the unprivileged user owns and can read; its path.
    @discardableResult
    public func write(_ text: String, as name: String, mode: Int = 0o644) throws -> String {
        let path = "\(library)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes(
            [.posixPermissions: mode, .ownerAccountID: Int(Self.user), .groupOwnerAccountID: Int(Self.user)],
            ofItemAtPath: path)
        return path
    }
}

/// Calls `body` with a node of its own, which goes with all its pods when the body ends or throws.
///
/// - Parameter base: The directory of its roots; it lies on a tmpfs.
public func withPodNode(
    base: String = "/mnt/pods", isolation: isolated (any Actor)? = #isolation, _ body: (PodNode) async throws -> Void
) async throws {
    let node = try PodNode(base: base)
    // The test's own code may block; what it calls must do so elsewhere.
    forbidBlockingTasks()
    defer { forbidBlockingTasks(false) }
    do {
        try await withTaskExecutorPreference(testThreads) { try await body(node) }
    } catch {
        try node.end()
        throw error
    }
    try node.end()
}

private let testThreads = BlockingPool("test", threads: 4)

/// The same for what does not wait.
///
/// - Parameter runtime: The path of the OCI runtime that makes its pods and that its policy names.
public func withPodNode(runtime: String = "/usr/sbin/runc", _ body: (PodNode) throws -> Void) throws {
    let node = try PodNode(base: "/mnt/pods", runtime: runtime)
    forbidBlockingTasks()
    mayBlockFromHere(true)
    let result = Result { try body(node) }
    mayBlockFromHere(false)
    forbidBlockingTasks(false)
    try node.end()
    try result.get()
}
