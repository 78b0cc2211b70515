/// Sizes and bounds of the protocol. They are part of it: changing one makes a new version.
public enum Limits {
    /// The newest and the oldest version that this module reads and writes.
    public static var version: UInt16 { 3 }
    public static var oldestVersion: UInt16 { 1 }
    /// Bytes of the header that begins every packet.
    public static var headerBytes: Int { 24 }
    /// The longest request, header included, in bytes.
    public static var requestBytes: Int { 4096 }
    /// The longest reply, header included, in bytes.
    public static var replyBytes: Int { 16384 }
    /// The most components of a place.
    public static var components: Int { 16 }
    /// The longest component, in bytes (NAME_MAX).
    public static var componentBytes: Int { 255 }
    /// The longest container id, in bytes.
    public static var containerIDBytes: Int { 128 }
    /// The most entries that one slice of a directory removal may be asked for.
    public static var sliceEntries: UInt32 { 1_000_000 }
    /// The most helpers that may share the removal of one directory.
    public static var shares: UInt8 { 16 }
    /// The longest deadline of a request, in milliseconds.
    public static var deadlineMilliseconds: UInt32 { 600_000 }
    /// The longest detail of a refusal or failure, in bytes. Of a longer path the end is kept.
    public static var detailBytes: Int { 1024 }
    /// The most cgroups that one request signals.
    public static var cgroupTargets: Int { 16 }
    /// The most processes that one request names to be signalled.
    public static var cgroupProcesses: Int { 10 }
    /// The most cgroups of a container that a reply names.
    public static var containerCgroups: Int { 32 }
    /// The longest path of such a cgroup, and the most bytes that all of them may take together.
    public static var cgroupPathBytes: Int { 4095 }
    public static var containerCgroupBytes: Int { 12288 }
    /// The longest path of a container's bundle.
    public static var bundleBytes: Int { 1024 }
    /// The most bytes of a runtime's standard error that a reply carries; the end is kept.
    public static var errorOutputBytes: Int { 2048 }
    /// The most bytes of a runtime's standard output that a reply carries inline; longer output comes in a sealed
    /// memfd.
    public static var inlineOutputBytes: Int { 8192 }
    /// The most bytes of a runtime's standard output at all.
    public static var outputBytes: Int { 4 << 20 }
    /// The hard resource limits that the helper needs at least, by the numbers of their RLIMIT_ constants (getrlimit(2)):
    /// NOFILE, FSIZE, AS, DATA, STACK and CPU. With less, an operation would stop half way.
    public static var resources: [(number: Int32, least: UInt64)] {
        [(7, 256), (1, UInt64(outputBytes)), (9, 2 << 30), (2, 1 << 30), (3, 1 << 20), (0, 3600)]
    }
    /// The most roots in a helper's policy.
    public static var roots: Int { 32 }
    /// The most runtimes in a helper's policy.
    public static var runtimes: Int { 8 }
    /// The longest path in a helper's policy, in bytes.
    public static var policyPathBytes: Int { 255 }
    /// The longest runtime name, or pattern list of a namespace root, in bytes.
    public static var policyNameBytes: Int { 64 }
}
